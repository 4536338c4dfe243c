// Command mutation breaks scopegate on purpose, one bug at a time, and reports which
// of its suites finds each. The tree stays as it is: an overlay gives the go command
// another text for one file. What found a bug is written into its patch.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"
)

// suite is a pattern of packages in the folder of a module.
type suite struct{ module, packages string }

// suites are the suites that may find a bug, in the order in which they run. The
// tests beside the code with the bug run before them.
var suites = []suite{
	{".", "./test/manager/controller"}, {".", "./test/manager/writes"}, {".", "./test/reliability"}, {".", "./test/guard/..."}, {"compat", "./manager"},
	{".", "./cmd/kubectl-scopegate"}, {".", "./test/plugin/..."}, {".", "./test/manager"}, {".", "./test/manager/observe"},
	{"compat", "./source"}, {"compat", "./crds"}, {".", "./internal/..."},
}

// likelySuites run before the others if the path of the file with the bug begins with
// the prefix.
var likelySuites = []struct {
	prefix string
	suite  suite
}{
	{"config/guard/", suite{".", "./test/guard/..."}},
	{"internal/guard/canary/", suite{".", "./test/guard/sabotage"}},
	{"internal/guard/", suite{"compat", "./manager"}},
	{"internal/controller/guard.go", suite{"compat", "./manager"}},
	{"internal/guard/", suite{".", "./internal/controller"}},
	{"internal/status/", suite{".", "./internal/controller"}},
	{"internal/lint/", suite{".", "./cmd/kubectl-scopegate"}},
	{"internal/lint/", suite{".", "./test/plugin/..."}},
	{"internal/inventory/", suite{".", "./internal/inventory/..."}},
	{"internal/inventory/", suite{".", "./test/plugin/..."}},
	{"internal/metrics/", suite{".", "./test/manager/writes"}},
}

var (
	errNotFound    = errors.New("no suite found it")
	errNotCompiled = errors.New("it does not compile")
	// The lines of go test on the first test and on the first package that
	// fail.
	failedTest  = regexp.MustCompile(`(?m)^\s*--- FAIL: (\S+)`)
	failedSuite = regexp.MustCompile(`(?m)^FAIL\tgithub\.com/scopegate/scopegate/(\S+)`)
)

func main() {
	var only, where regexp.Regexp
	all := regexp.MustCompile("")
	flag.TextVar(&only, "run", all, "only the bugs whose name matches this `regexp`")
	flag.TextVar(&where, "suites", all, "only the suites whose folder matches this `regexp`")
	leaves := flag.Int("leaves", 0, "change at most this `number` of leaves of the manifests instead")
	seed := flag.Uint64("seed", 1, "the seed of the choice of leaves")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	var err error
	if *leaves > 0 {
		err = changeLeaves(ctx, &only, *leaves, *seed)
	} else {
		err = run(ctx, &only, &where)
	}
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutation:", err)
		os.Exit(1)
	}
}

// run tries each bug, and fails if one was not found.
func run(ctx context.Context, only, where *regexp.Regexp) error {
	bugs, err := readBugs("test/mutation/bugs")
	if err != nil {
		return err
	}
	bugs = slices.DeleteFunc(bugs, func(b bug) bool { return !only.MatchString(b.name) })
	found := 0
	for i, bug := range bugs {
		begin := time.Now()
		by, err := bug.hunt(ctx, where)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, errNotFound):
			by = "**nothing**"
		case err != nil:
			by = "**not tried**"
			fmt.Fprintf(os.Stderr, "%s: %v\n", bug.name, err)
		default:
			found++
			if err := bug.writeFoundBy(by); err != nil {
				return err
			}
		}
		fmt.Printf("%d of %d, %s: %s, by %s (%s)\n", i+1, len(bugs), bug.class, bug.name, by, time.Since(begin).Round(time.Second))
	}
	fmt.Printf("%d of %d bugs were found.\n", found, len(bugs))
	if found < len(bugs) || found == 0 {
		return fmt.Errorf("%d of %d bugs were not found", len(bugs)-found, len(bugs))
	}
	return nil
}

// hunt returns the suite that finds a bug, and the test; errNotFound if none does. It
// begins with what found the bug last.
func (b bug) hunt(ctx context.Context, where *regexp.Regexp) (string, error) {
	folder, err := os.MkdirTemp("", "mutation-")
	if err != nil {
		return "", err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	overlay, err := b.overlay(folder)
	if err != nil {
		return "", err
	}
	for _, suite := range b.suites() {
		if !where.MatchString(path.Join(suite.module, suite.packages)) {
			continue
		}
		by, err := suite.run(ctx, overlay)
		if by != "" || err != nil {
			return by, err
		}
	}
	return "", errNotFound
}

// suites returns the suites that may find the bug. The one that found it last
// is first.
func (b bug) suites() []suite {
	var first []suite
	if folder, _, _ := strings.Cut(b.foundBy, ","); folder != "" && exists(folder) {
		first = append(first, suite{".", "./" + folder})
		if within, ok := strings.CutPrefix(folder, "compat/"); ok {
			first[0] = suite{"compat", "./" + within}
		}
	}
	if filepath.Ext(b.file) == ".go" {
		first = append(first, suite{".", "./" + path.Dir(b.file)})
	}
	for _, likely := range likelySuites {
		if strings.HasPrefix(b.file, likely.prefix) {
			first = append(first, likely.suite)
		}
	}
	return append(first, suites...)
}

func (s suite) run(ctx context.Context, overlay string) (string, error) {
	// Tests that build programs run go themselves. They get the bug too.
	return runSuite(ctx, s.module, []string{"GOFLAGS=" + os.Getenv("GOFLAGS") + " -overlay=" + overlay}, s.packages)
}

// runSuite runs go test in a folder, and returns the suite and the test that fails.
func runSuite(ctx context.Context, folder string, environment []string, arguments ...string) (string, error) {
	command := exec.CommandContext(ctx, "go", append([]string{"test", "-count=1", "-failfast", "-timeout=15m"}, arguments...)...) //nolint:gosec // The table names it.
	command.Dir = folder
	command.Env = append(os.Environ(), environment...)
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
		return "", fmt.Errorf("%v did not run: %w\n%s", arguments, err, output)
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

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// overlay applies the bug to a copy of its file in a folder, and returns the path of an
// overlay for the go command.
func (b bug) overlay(folder string) (string, error) {
	file, err := filepath.Abs(b.file)
	if err != nil {
		return "", err
	}
	if err := b.apply(".", folder); err != nil {
		return "", err
	}
	content, err := json.Marshal(map[string]map[string]string{"Replace": {file: filepath.Join(folder, b.file)}})
	if err != nil {
		return "", err
	}
	overlay := filepath.Join(folder, "overlay.json")
	return overlay, os.WriteFile(overlay, content, 0o600)
}
