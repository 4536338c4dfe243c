// Command manager is the operator. In guard mode, the default, it runs beside
// ToolHive's operator and writes one condition. In standalone mode (--standalone)
// it writes the statuses of ToolHive's kinds and rolls out the auth servers whose
// baseline is valid.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime/debug"
	"strconv"
	"time"

	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"

	"github.com/scopegate/scopegate/internal/guard/cleanup"
	"github.com/scopegate/scopegate/internal/operator"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "manager:", err)
		os.Exit(1)
	}
}

func run() error {
	flags := operator.Flags{}
	flags.Bind(flag.CommandLine)
	// The error then comes after the usage, where people look.
	flag.CommandLine.Init(os.Args[0], flag.ContinueOnError)
	if err := flag.CommandLine.Parse(os.Args[1:]); errors.Is(err, flag.ErrHelp) {
		return nil
	} else if err != nil {
		return err
	}
	limitMemory()
	options := flags.Options
	if err := check(options, flags.Cleanup); err != nil {
		return err
	}
	// Before there is a logger, which would add a stack trace to the same error.
	cfg, err := ctrl.GetConfig()
	if err != nil {
		return fmt.Errorf("finding the cluster: %w; set --kubeconfig or KUBECONFIG", err)
	}
	logger := zap.New(zap.UseFlagOptions(&flags.Logging))
	ctrl.SetLogger(logger)
	// The client libraries log through klog, which has its own format by default.
	klog.SetLogger(logger)

	ctx := ctrl.SetupSignalHandler()
	if flags.Cleanup {
		return cleanUp(ctx, cfg, options)
	}
	mgr, err := operator.New(ctx, cfg, options)
	if err != nil {
		return err
	}
	return mgr.Start(ctx)
}

func check(options operator.Options, clean bool) error {
	switch {
	case flag.NArg() > 0:
		return fmt.Errorf("unexpected argument %q; see --help for the flags", flag.Arg(0))
	case clean && options.Standalone:
		return fmt.Errorf("--cleanup is for the guard: in standalone mode everything is deleted with the CRDs; remove one of the two flags")
	case len(options.DefaultScopes) > 0 && options.Standalone:
		return fmt.Errorf("--default-scopes is for the guard: standalone mode configures the scopes of its auth servers; remove one of the two flags")
	case clean && options.OwnNamespace == "":
		return fmt.Errorf("--namespace is empty: name the namespace that the guard is installed in")
	case options.Standalone && options.AuthServerImage == "":
		return fmt.Errorf("--auth-server-image is empty: name the image that auth servers run")
	case options.Concurrency < 1:
		return fmt.Errorf("--concurrency is %d: it must be at least 1", options.Concurrency)
	case options.LeaderElect && options.LeaderElectionNamespace == "" && !inCluster():
		return fmt.Errorf("--leader-election-namespace is empty: outside a cluster, name the namespace of the lease")
	}
	for _, namespace := range options.Namespaces {
		if !isNamespace(namespace) {
			return fmt.Errorf("--watch-namespaces has %q, which is not the name of a namespace: separate the names by commas, without spaces", namespace)
		}
	}
	for _, named := range []struct{ flag, namespace string }{{"namespace", options.OwnNamespace}, {"leader-election-namespace", options.LeaderElectionNamespace}} {
		if named.namespace != "" && !isNamespace(named.namespace) {
			return fmt.Errorf("--%s is %q, which is not the name of a namespace", named.flag, named.namespace)
		}
	}
	return nil
}

func isNamespace(name string) bool { return len(validation.IsDNS1123Label(name)) == 0 }

// inCluster reports whether the manager runs in a pod, which has the namespace of
// its account.
func inCluster() bool {
	_, err := os.Stat("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
	return err == nil
}

func cleanUp(ctx context.Context, cfg *rest.Config, options operator.Options) error {
	c, err := client.New(cfg, client.Options{Scheme: operator.Scheme})
	if err != nil {
		return fmt.Errorf("reaching the cluster: %w", err)
	}
	return (&cleanup.Cleanup{
		Client: c, Namespaces: options.Namespaces, OwnNamespace: options.OwnNamespace, Lease: operator.GuardLease,
		Timeout: 2 * time.Minute, Output: os.Stdout,
	}).Run(ctx)
}

// limitMemory lets the garbage collector keep to nine tenths of MEMORY_LIMIT, the
// limit of the container in bytes. Without it, a manager of many objects is killed
// long before it needs that much.
func limitMemory() {
	if limit, err := strconv.ParseInt(os.Getenv("MEMORY_LIMIT"), 10, 64); err == nil && limit > 0 {
		debug.SetMemoryLimit(limit / 10 * 9)
	}
}
