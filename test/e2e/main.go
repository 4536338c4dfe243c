// Command e2e runs scopegate as its users do, on a real cluster of one node: its
// images, its manifests, real pods. It shows what a user would see, and ends
// with status 1 at the first scenario that fails.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"syscall"
	"time"

	"github.com/scopegate/scopegate/test/e2e/node"
	"github.com/scopegate/scopegate/test/e2e/toolhive"
)

// timeout bounds a whole run.
const timeout = time.Hour

// scenario is one of what is shown. Those of whole mode need the first, and the
// others a cluster without whole mode: the eighth, or none before them.
type scenario struct {
	name string
	run  func(*suite)
}

var scenarios = []scenario{
	{"1-install", install},
	{"2-good", good},
	{"3-invalid-from-the-start", invalidFromTheStart},
	{"4-edited-to-invalid", editedToInvalid},
	{"5-backstop", backstop},
	{"6-shared-config", sharedConfig},
	{"7-faults", faults},
	{"8-uninstall", uninstall},
	{"9-toolhive-alone", toolHiveAlone},
	{"10-guard", guard},
}

// wholeMode is how many scenarios are of whole mode: from the installation to its
// end.
const wholeMode = 8

func main() {
	options := options{}
	flag.StringVar(&options.images, "images", "bin/images", "the `folder` into which make image has put manager.tar and authserver.tar")
	flag.StringVar(&options.manifest, "manifest", "dist/install.yaml", "the manifest of whole mode, a `file` or a kustomize folder")
	flag.StringVar(&options.guard, "guard", "dist/guard.yaml", "the manifest of the guard, a `file`")
	flag.StringVar(&options.cleanup, "guard-cleanup", "dist/guard-cleanup.yaml", "the manifest of the guard's cleanup, a `file`")
	flag.BoolVar(&options.keep, "keep", false, "when a scenario fails, keep the cluster until Ctrl-C")
	pattern := flag.String("run", "", "only the scenarios whose name matches this `regexp`, and what they need before them")
	check := flag.Bool("check", false, "only tell whether this machine can run a cluster, and what it lacks")
	flag.Parse()
	if *check {
		if err := node.CheckMachine(); err != nil {
			fmt.Fprintln(os.Stderr, "e2e:", err)
			os.Exit(1)
		}
		return
	}
	only, err := regexp.Compile(*pattern)
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e: --run:", err)
		os.Exit(2)
	}
	if err := start(options, only); err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		os.Exit(1)
	}
}

// start runs until the scenarios have ended, or somebody ends them.
func start(options options, only *regexp.Regexp) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	return run(ctx, options, only)
}

type options struct {
	images, manifest, guard, cleanup string
	keep                             bool
}

// run starts the cluster, runs the scenarios on it, and ends it.
func run(ctx context.Context, options options, only *regexp.Regexp) (err error) {
	begin := time.Now()
	cluster, err := node.Start(ctx, node.Options{Output: os.Stdout, Images: toolhive.Images()})
	if err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, cluster.Stop())
		fmt.Printf("%6.1fs  in all\n", time.Since(begin).Seconds())
	}()
	suite, err := newSuite(ctx, cluster, options)
	if err != nil {
		return err
	}
	failed := suite.runAll(selected(only))
	if failed != nil && options.keep && ctx.Err() == nil {
		fmt.Printf("\nThe cluster is kept until Ctrl-C:\nexport KUBECONFIG=%s\nalias kubectl=%s\n", cluster.Kubeconfig, cluster.KubectlPath)
		<-ctx.Done()
	}
	return failed
}

// selected are the scenarios to run, with what they need before them.
func selected(only *regexp.Regexp) []scenario {
	var whole, toolHive []scenario
	for i, scenario := range scenarios {
		switch {
		case !only.MatchString(scenario.name):
		case i < wholeMode:
			whole = append(whole, scenario)
		default:
			toolHive = append(toolHive, scenario)
		}
	}
	if len(whole) == 0 {
		return toolHive
	}
	if whole[0].name != scenarios[0].name {
		whole = append(scenarios[:1:1], whole...)
	}
	if last := scenarios[wholeMode-1]; len(toolHive) > 0 && whole[len(whole)-1].name != last.name {
		whole = append(whole, last)
	}
	return append(whole, toolHive...)
}

// testdata is the path of a file of the scenarios.
func testdata(name string) string { return filepath.Join("test", "e2e", "testdata", name) }
