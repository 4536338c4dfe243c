//go:build e2e

package e2e

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

var keep = flag.Bool("keep", false, "when a test fails, keep the cluster as it is then until Ctrl-C; with -failfast")

// ctx is done when somebody interrupts the run.
var ctx context.Context

func TestMain(m *testing.M) {
	flag.Parse()
	log.SetLogger(logr.Discard())
	// The paths in the commands and in KUBECONFIG are those of a user in this folder.
	if err := os.Chdir("../.."); err != nil {
		panic(err)
	}
	var stop context.CancelFunc
	ctx, stop = signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	go stopWithParent(stop)
	code := m.Run()
	if c := started; c != nil {
		if code != 0 && *keep && ctx.Err() == nil {
			fmt.Printf("\nThe cluster is kept until Ctrl-C:\nexport KUBECONFIG=%s\nalias kubectl='%s --context %s'\n", os.Getenv("KUBECONFIG"), c.kubectlPath, c.context)
			<-ctx.Done()
		}
		if c.node != nil {
			if err := c.node.Stop(); err != nil {
				fmt.Fprintln(os.Stderr, "e2e:", err)
				code = 1
			}
		}
	}
	os.Exit(code)
}

// stopWithParent ends the run when go test is killed, which passes on no
// signal.
func stopWithParent(stop func()) {
	for parent := os.Getppid(); os.Getppid() == parent; {
		time.Sleep(time.Second)
	}
	stop()
}

// TestStandalone installs standalone mode by its manifest, as it is shipped, and
// runs auth servers with it.
func TestStandalone(t *testing.T) {
	s := newScenario(t)
	s.installStandalone()
	s.part("edit", edit)
}

// TestGuard installs ToolHive's own operator, and makes the same mistake in the
// same manifests without the guard and with it.
func TestGuard(t *testing.T) {
	s := newScenario(t)
	s.installToolHive()
	s.part("without", withoutGuard)
	s.installGuard()
	s.part("enforce", enforce)
	s.part("two-references", twoReferences)
	s.part("environment", environment)
	s.part("port", port)
	s.part("replicas", replicas)
	s.part("override", override)
	s.part("strict", strict)
	s.part("remove", remove)
}
