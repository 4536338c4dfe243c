package main

import (
	"fmt"
	"time"
)

// What a build takes on two cores, until it is known what it takes here. See
// CONTRIBUTING.md.
const (
	perPackage = 150 * time.Millisecond
	perLink    = 10 * time.Second
)

// enough is how many packages tell how fast this machine is.
const enough = 100

// progress is how far the build of some binaries is.
type progress struct {
	// packages are those to compile, of all binaries; compiled are those that are.
	packages, compiled int
	// binaries are those to build; done are those that are.
	binaries, done int
	// spent is the time that it has taken so far.
	spent time.Duration
}

// left estimates how long the rest takes.
func (p progress) left() time.Duration {
	pace := perPackage
	if p.compiled >= enough {
		pace = p.spent / time.Duration(p.compiled)
	}
	return time.Duration(max(0, p.packages-p.compiled))*pace + time.Duration(p.binaries-p.done)*perLink
}

// String says which binary is built, and how long all the rest takes.
func (p progress) String() string {
	text := fmt.Sprintf("%d of %d: ", p.done+1, p.binaries)
	minutes := int(p.left().Round(time.Minute).Minutes())
	switch minutes {
	case 0:
		text += "less than a minute is left"
	case 1:
		text += "about a minute is left"
	default:
		text += fmt.Sprintf("about %d minutes are left", minutes)
	}
	if p.binaries-p.done > 1 {
		text += " for all of them"
	}
	return text
}
