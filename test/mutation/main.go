// Command mutation breaks scopegate on purpose, one bug at a time, and tells which
// of its suites finds each. The tree stays as it is: the go command is told by an
// overlay what a file reads instead.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"
)

// suites are what may find a bug, in the order in which they are asked.
var suites = []string{"./test/manager/controller", "./test/reliability", "./internal/...", "./test/manager/writes", "./test/guard", "./test/manager", "./test/manager/observe"}

var (
	errNotFound = errors.New("no suite found it")
	// What go test says of the first test, and of the first package, that fails.
	failedTest  = regexp.MustCompile(`(?m)^\s*--- FAIL: (\S+)`)
	failedSuite = regexp.MustCompile(`(?m)^FAIL\tgithub\.com/scopegate/scopegate/(\S+)`)
)

func main() {
	pattern := flag.String("run", "", "only the bugs whose name matches this `regexp`")
	flag.Parse()
	only, err := regexp.Compile(*pattern)
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutation: --run:", err)
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err = run(ctx, only)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutation:", err)
		os.Exit(1)
	}
}

// run prints a row of a table for each bug, and fails if one was not found.
func run(ctx context.Context, only *regexp.Regexp) error {
	fmt.Printf("| class | bug | found by |\n| --- | --- | --- |\n")
	seeded, found := 0, 0
	for _, bug := range bugs {
		if !only.MatchString(bug.name) {
			continue
		}
		seeded++
		begin := time.Now()
		by, err := bug.hunt(ctx)
		switch {
		case errors.Is(err, errNotFound):
			by = "**nothing**"
		case ctx.Err() != nil:
			return err
		case err != nil:
			by = "**not tried**"
			fmt.Fprintf(os.Stderr, "%s: %v\n", bug.name, err)
		default:
			found++
		}
		fmt.Printf("| %s | %s | %s |\n", bug.class, bug.name, by)
		fmt.Fprintf(os.Stderr, "%d seeded, %d found; the last took %s\n", seeded, found, time.Since(begin).Round(time.Second))
	}
	fmt.Printf("\n%d of %d bugs were found.\n", found, seeded)
	if found < seeded || seeded == 0 {
		return fmt.Errorf("%d of %d bugs were not found", seeded-found, seeded)
	}
	return nil
}

// hunt returns the suite that finds a bug, and the test; errNotFound if none does.
func (b bug) hunt(ctx context.Context) (string, error) {
	folder, err := os.MkdirTemp("", "mutation-")
	if err != nil {
		return "", err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	overlay, err := b.overlay(folder)
	if err != nil {
		return "", err
	}
	if output, err := command(ctx, overlay, "build", "./...").CombinedOutput(); err != nil {
		return "", fmt.Errorf("it does not compile: %w\n%s", err, output)
	}
	for _, suite := range suites {
		output, err := command(ctx, overlay, "test", "-count=1", "-failfast", "-timeout=15m", suite).CombinedOutput()
		if ctx.Err() != nil {
			return "", context.Cause(ctx)
		}
		if err == nil {
			continue
		}
		if failed := failedSuite.FindSubmatch(output); failed != nil {
			by := string(failed[1])
			// The recorder of rollouts, for one, fails a suite and no test of it.
			if test := failedTest.FindSubmatch(output); test != nil {
				by += ", " + string(test[1])
			}
			return by, nil
		}
		return "", fmt.Errorf("%s did not run: %w\n%s", suite, err, output)
	}
	return "", errNotFound
}

// command is one of go's on the code with the bug. Whatever runs go itself, as
// tests do that build programs, gets the bug too.
func command(ctx context.Context, overlay string, arguments ...string) *exec.Cmd {
	command := exec.CommandContext(ctx, "go", arguments...)
	command.Env = append(os.Environ(), "GOFLAGS=-overlay="+overlay)
	// A suite stops its control plane when it is told to end.
	command.Cancel = func() error { return command.Process.Signal(syscall.SIGTERM) }
	return command
}

// overlay writes the file with the bug, and the JSON that tells go of it.
func (b bug) overlay(folder string) (string, error) {
	file, err := filepath.Abs(b.file)
	if err != nil {
		return "", err
	}
	text, err := os.ReadFile(file) //nolint:gosec // The table names it.
	if err != nil {
		return "", err
	}
	broken, err := b.apply(string(text))
	if err != nil {
		return "", err
	}
	replaced, overlay := filepath.Join(folder, filepath.Base(b.file)), filepath.Join(folder, "overlay.json")
	content, err := json.Marshal(map[string]map[string]string{"Replace": {file: replaced}})
	if err != nil {
		return "", err
	}
	return overlay, errors.Join(os.WriteFile(replaced, []byte(broken), 0o600), os.WriteFile(overlay, content, 0o600))
}

// apply puts the bug into the text of its file.
func (b bug) apply(text string) (string, error) {
	if n := strings.Count(text, b.old); n != 1 {
		return "", fmt.Errorf("%s has %q %d times, and once it must be: the code has changed, so must the bug", b.file, b.old, n)
	}
	return strings.Replace(text, b.old, b.made, 1), nil
}
