package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

type program struct {
	name string
	line []string
}

// usage is what one run of a program used, as test/bench/measure reports it.
type usage struct {
	Wall, CPU time.Duration
	// Peak is the peak memory of the process, in bytes.
	Peak int64
}

// meter is the program of test/bench/measure, and a file for it to write to.
type meter struct{ path, file string }

// start runs a program to its end. Findings are not a failure.
func (m meter) start(ctx context.Context, p program) (usage, []byte) {
	command := exec.CommandContext(ctx, m.path, append([]string{m.file}, p.line...)...) //nolint:gosec // Programs that this one builds.
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	err := command.Run()
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || exit.ExitCode() != 1) {
		check(fmt.Errorf("%s: %w: %s", p.name, err, &stderr))
	}
	var used usage
	check(json.Unmarshal(must(os.ReadFile(m.file)), &used))
	return used, stdout.Bytes()
}

// interleave runs each program once without measuring it, and then runs times,
// in turn.
func (m meter) interleave(ctx context.Context, runs int, programs ...program) [][]usage {
	all := make([][]usage, len(programs))
	for round := range runs + 1 {
		for i, program := range programs {
			used, _ := m.start(ctx, program)
			if round > 0 {
				all[i] = append(all[i], used)
			}
		}
	}
	return all
}

// ratio returns the median of the ratios of two sides, run by run.
func ratio(ours, theirs []usage, of func(usage) float64) float64 {
	return median(ratios(valuesOf(ours, of), valuesOf(theirs, of)))
}

// ratios returns the ratio of two sides, run by run.
func ratios(ours, theirs []float64) []float64 {
	all := make([]float64, len(ours))
	for i := range ours {
		all[i] = ours[i] / theirs[i]
	}
	return all
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}

func medianOf(all []usage, of func(usage) float64) float64 { return median(valuesOf(all, of)) }

// valuesOf returns one figure of each run.
func valuesOf(all []usage, of func(usage) float64) []float64 {
	values := make([]float64, len(all))
	for i, used := range all {
		values[i] = of(used)
	}
	return values
}

func wall(u usage) float64 { return u.Wall.Seconds() }
func cpu(u usage) float64  { return u.CPU.Seconds() }
func peak(u usage) float64 { return float64(u.Peak) }

// build builds a main package, stripped as released programs are, and returns the
// path. A package with a version is built from its own module.
func build(ctx context.Context, main, into string) string {
	name, _, _ := strings.Cut(path.Base(main), "@")
	progress("building %s", name)
	command := exec.CommandContext(ctx, "go", "install", "-trimpath", "-ldflags=-s -w", main)
	command.Env = append(os.Environ(), "CGO_ENABLED=0", "GOBIN="+into)
	if output, err := command.CombinedOutput(); err != nil {
		check(fmt.Errorf("building %s: %w\n%s", main, err, output))
	}
	return filepath.Join(into, name)
}

func size(path string) float64 { return float64(must(os.Stat(path)).Size()) }
