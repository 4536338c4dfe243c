// Command mutation breaks scopegate on purpose, one bug at a time, and reports which
// of its suites finds each. It does so in a copy of the last commit. What found a bug is
// written into its patch.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"
)

// suite is what go test gets in the folder of a module. It may find what is wrong in a
// file whose path begins with prefix.
type suite struct{ prefix, module, arguments string }

// suites are the suites that may find a bug, in the order in which they run: first the
// likely ones, then all others. The tests beside the code with the bug run before them.
var suites = []suite{
	{"config/guard/", ".", "./test/guard/..."},
	{"config/monitoring/", ".", "./test/release/monitoring"},
	{"config/guard/rbac/", ".", "./test/manager/leastprivilege"},
	{"charts/", ".", "./test/release/packaging"},
	{"config/standalone/", ".", "./test/release/packaging"},
	{"config/crd/", ".", "./test/release/packaging"},
	{"hack/", ".", "./test/release/packaging"},
	{"internal/guard/canary/", ".", "./test/guard/sabotage"},
	{"internal/guard/", "compat", "./manager"},
	{"internal/controller/guard.go", "compat", "./manager"},
	{"internal/guard/", ".", "./internal/controller"},
	{"internal/status/", ".", "./internal/controller"},
	{"internal/lint/", ".", "./cmd/kubectl-scopegate"},
	{"internal/lint/", ".", "./test/plugin/..."},
	{"internal/inventory/", ".", "./internal/inventory/..."},
	{"internal/inventory/", ".", "./test/plugin/..."},
	{"", ".", "./test/manager/controller"}, {"", ".", "./test/reliability"}, {"", ".", "./test/guard/..."}, {"", "compat", "./manager"},
	{"", ".", "./cmd/kubectl-scopegate"}, {"", ".", "./test/plugin/..."}, {"", ".", "./test/manager"},
	{"", "compat", "./source"}, {"", "compat", "./crds"}, {"", ".", "./internal/..."},
}

var (
	errNotCompiled = errors.New("it does not compile")
	// The lines of go test on the first test and on the first package that
	// fail.
	failedTest  = regexp.MustCompile(`(?m)^\s*--- FAIL: (\S+)`)
	failedSuite = regexp.MustCompile(`(?m)^FAIL\tgithub\.com/scopegate/scopegate/(\S+)`)
)

func main() {
	var only regexp.Regexp
	flag.TextVar(&only, "run", regexp.MustCompile(""), "only the bugs whose name matches this `regexp`")
	leaves := flag.Int("leaves", 0, "change at most this `number` of leaves of the manifests instead")
	seed := flag.Uint64("seed", 1, "the seed of the choice of leaves")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := inCopy(ctx, func(root string) error {
		if *leaves > 0 {
			return changeLeaves(ctx, root, &only, *leaves, *seed)
		}
		return run(ctx, root, &only)
	})
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutation:", err)
		os.Exit(1)
	}
}

// inCopy calls do with the folder of a copy of the last commit.
func inCopy(ctx context.Context, do func(root string) error) (err error) {
	root, err := os.MkdirTemp("", "mutation-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(root)) }()
	if output, err := exec.CommandContext(ctx, "git", "clone", "--quiet", ".", root).CombinedOutput(); err != nil { //nolint:gosec // Our own folder.
		return fmt.Errorf("copying the repository: %w: %s", err, output)
	}
	return do(root)
}

// run tries each bug, and fails if one was not found.
func run(ctx context.Context, root string, only *regexp.Regexp) error {
	bugs, err := readBugs("test/mutation/bugs")
	if err != nil {
		return err
	}
	bugs = slices.DeleteFunc(bugs, func(b bug) bool { return !only.MatchString(b.name) })
	return tryAll(ctx, len(bugs), func(i int) (name, by string, err error) {
		by, err = bugs[i].hunt(ctx, root)
		if by != "" {
			err = errors.Join(err, bugs[i].writeFoundBy(by))
		}
		return bugs[i].class + ": " + bugs[i].name, by, err
	})
}

// tryAll tries a number of changes, prints what finds each, and fails if one was not
// found.
func tryAll(ctx context.Context, count int, try func(i int) (name, by string, err error)) error {
	lost := 0
	for i := range count {
		begin := time.Now()
		name, by, err := try(i)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			lost++
			by = "**not tried**"
			fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		case by == "":
			lost++
			by = "**nothing**"
		}
		fmt.Printf("%d of %d, %s: by %s (%s)\n", i+1, count, name, by, time.Since(begin).Round(time.Second))
	}
	if lost > 0 || count == 0 {
		return fmt.Errorf("%d of %d were not found", lost, count)
	}
	return nil
}

// hunt returns the suite that finds a bug in a copy of the repository, and the test; "" if
// none does.
func (b bug) hunt(ctx context.Context, root string) (by string, err error) {
	path := filepath.Join(root, b.file)
	original, err := os.ReadFile(path) //nolint:gosec // In the copy.
	if err != nil {
		return "", err
	}
	if err := b.apply(root, root); err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, os.WriteFile(path, original, 0o600)) }()
	for _, suite := range b.suites() {
		if strings.HasPrefix(b.file, suite.prefix) {
			if by, err := suite.run(ctx, root); by != "" || err != nil {
				return by, err
			}
		}
	}
	return "", nil
}

// suites returns the suites that may find the bug. The test that found it last is first.
func (b bug) suites() []suite {
	var first []suite
	if folder, test, found := strings.Cut(b.foundBy, ", "); found {
		last := suite{"", ".", "./" + folder}
		if within, ok := strings.CutPrefix(folder, "compat/"); ok {
			last = suite{"", "compat", "./" + within}
		} else if folder == "test/release/gitops" {
			last = suite{"", folder, "."}
		}
		test, _, _ = strings.Cut(test, "/")
		last.arguments += " -run ^" + test + "$"
		first = append(first, last)
	}
	if filepath.Ext(b.file) == ".go" {
		first = append(first, suite{"", ".", "./" + filepath.Dir(b.file)})
	}
	return append(first, suites...)
}

// run runs go test in a copy of the repository, and returns the suite and the test that
// fails.
func (s suite) run(ctx context.Context, root string) (string, error) {
	command := exec.CommandContext(ctx, "go", append([]string{"test", "-count=1", "-failfast", "-vet=off", "-timeout=15m"}, strings.Fields(s.arguments)...)...) //nolint:gosec // The table names it.
	command.Dir = filepath.Join(root, s.module)
	// go test does not pass SIGTERM on, so processes that its tests started may
	// outlive it.
	command.Cancel = func() error { return command.Process.Signal(syscall.SIGTERM) }
	command.WaitDelay = 10 * time.Second
	output, err := command.CombinedOutput()
	switch failed := failedSuite.FindSubmatch(output); {
	case ctx.Err() != nil:
		return "", context.Cause(ctx)
	case err == nil:
		return "", nil
	case bytes.Contains(output, []byte("[build failed]")):
		return "", fmt.Errorf("%w:\n%s", errNotCompiled, output)
	case failed == nil:
		return "", fmt.Errorf("%v did not run: %w\n%s", s.arguments, err, output)
	default:
		by := string(failed[1])
		// The recorder of rollouts, for example, fails a suite without failing
		// a test.
		if test := failedTest.FindSubmatch(output); test != nil {
			by += ", " + string(test[1])
		}
		return by, nil
	}
}
