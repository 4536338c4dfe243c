package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"
)

// The tables of what found the bugs: in the last whole run, and in this one so far.
const (
	lastRun = "docs/dev/mutation.md"
	thisRun = "bin/mutation.md"
)

// readTable returns what found each bug, by the bug's name; nothing if there is no table yet.
func readTable(path string) (map[string]string, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	found := map[string]string{}
	for line := range strings.Lines(string(text)) {
		if cells := strings.Split(strings.Trim(line, "| \n"), " | "); len(cells) == 3 {
			found[cells[1]] = cells[2]
		}
	}
	return found, err
}

// addRow appends what found a bug to a table.
func addRow(path string, b bug, by string) error {
	if err := os.MkdirAll("bin", 0o755); err != nil { //nolint:gosec // As make build does.
		return err
	}
	file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644) //nolint:gosec // A page of the documentation.
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(file, "| %s | %s | %s |\n", b.class, b.name, by)
	return errors.Join(err, file.Close())
}

// publish makes the table of this run, which is complete, that of the last run.
func publish() error {
	rows, err := os.ReadFile(thisRun)
	if err != nil {
		return err
	}
	page := fmt.Sprintf(`# Seeded bugs

`+"`make prove SUITE=mutation`"+` seeds each of these bugs, one at a time, and wrote this table on %s.
It names the first suite and test that find each bug. [Reliability](reliability.md#that-the-suites-can-fail) says what the classes mean.

| class | bug | found by |
| --- | --- | --- |
%s`, time.Now().UTC().Format(time.DateOnly), rows)
	if err := os.WriteFile(lastRun, []byte(page), 0o644); err != nil { //nolint:gosec // A page of the documentation.
		return err
	}
	return os.Remove(thisRun)
}
