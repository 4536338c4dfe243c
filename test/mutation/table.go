package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"time"
)

// The tables of what found the bugs: in the last whole run, and in this one so far.
const (
	lastRun = "test/mutation/found.txt"
	thisRun = "bin/mutation.txt"
)

// readTable returns what found each bug, by the bug's name. It returns nothing if
// there is no table, or if the first line of the table is not head, unless that is
// empty.
func readTable(path, head string) (map[string]string, error) {
	text, err := os.ReadFile(path) //nolint:gosec // One of the two above.
	found := map[string]string{}
	if errors.Is(err, fs.ErrNotExist) || err == nil && !strings.HasPrefix(string(text), head) {
		return found, nil
	}
	for line := range strings.Lines(string(text)) {
		if cells := strings.Split(strings.Trim(line, "| \n"), " | "); len(cells) == 3 {
			found[cells[1]] = cells[2]
		}
	}
	return found, err
}

// resume returns what an earlier run of the same code found before it was cut off. If
// there is none, it begins a new table.
func resume(ctx context.Context) (map[string]string, error) {
	head, err := code(ctx)
	if err != nil {
		return nil, err
	}
	done, err := readTable(thisRun, head)
	if err != nil || len(done) > 0 {
		return done, err
	}
	if err := os.MkdirAll("bin", 0o755); err != nil { //nolint:gosec // As make build does.
		return nil, err
	}
	return done, os.WriteFile(thisRun, []byte(head), 0o600)
}

// code names the code under test, which the documents and the last table are not part
// of, by a sum of what git has of it and of what is not committed.
func code(ctx context.Context) (string, error) {
	sum := sha256.New()
	for _, arguments := range [][]string{{"ls-files", "--stage"}, {"diff"}} {
		command := exec.CommandContext(ctx, "git", append(arguments, "--", ":!*.md", ":!docs", ":!"+lastRun)...) //nolint:gosec // One of the two above.
		command.Stdout, command.Stderr = sum, os.Stderr
		if err := command.Run(); err != nil {
			return "", fmt.Errorf("running git %s: %w", arguments[0], err)
		}
	}
	return fmt.Sprintf("%x\n", sum.Sum(nil)), nil
}

// row returns what found a bug, as a row of a table.
func row(b bug, by string) string { return fmt.Sprintf("| %s | %s | %s |\n", b.class, b.name, by) }

// addRow appends a row to the table of this run, if it is to be kept.
func addRow(b bug, by string, keep bool) error {
	if !keep {
		return nil
	}
	file, err := os.OpenFile(thisRun, os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = file.WriteString(row(b, by))
	return errors.Join(err, file.Close())
}

// page returns the table of a whole run.
func page(found map[string]string, now time.Time) string {
	var rows strings.Builder
	for _, b := range bugs {
		rows.WriteString(row(b, found[b.name]))
	}
	return fmt.Sprintf("On %s, a test found each of these bugs in a whole run. Written by make prove SUITE=mutation.\n%s", now.UTC().Format(time.DateOnly), &rows)
}

// publish replaces the table of the last run by that of this run, which is
// complete.
func publish(found map[string]string) error {
	if err := os.WriteFile(lastRun, []byte(page(found, time.Now())), 0o644); err != nil { //nolint:gosec // Part of the repository.
		return err
	}
	return os.Remove(thisRun)
}
