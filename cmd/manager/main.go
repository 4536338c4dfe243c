// Command manager is the operator, in whole mode: it writes the statuses of
// ToolHive's kinds and rolls out the auth servers whose baseline is valid.
package main

import (
	"flag"
	"fmt"
	"os"

	"go.uber.org/zap/zapcore"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"

	"github.com/scopegate/scopegate/internal/operator"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "manager:", err)
		os.Exit(1)
	}
}

func run() error {
	options := operator.Options{}
	// controller-runtime adds --kubeconfig.
	flag.StringVar(&options.MetricsBindAddress, "metrics-bind-address", ":8080", "Where metrics are served, or 0 for nowhere.")
	flag.StringVar(&options.HealthProbeBindAddress, "health-probe-bind-address", ":8081", "Where /healthz and /readyz are served, or 0 for nowhere.")
	flag.BoolVar(&options.LeaderElect, "leader-elect", false, "Let one of several managers work, and the others wait.")
	flag.StringVar(&options.LeaderElectionNamespace, "leader-election-namespace", "", "Where the lease is; by default the manager's own namespace.")
	flag.StringVar(&options.AuthServerImage, "auth-server-image", "scopegate-authserver:latest", "The image that auth servers run.")
	flag.IntVar(&options.Concurrency, "concurrency", operator.DefaultConcurrency, "How many objects of each kind are reconciled at a time.")
	logging := zap.Options{TimeEncoder: zapcore.RFC3339TimeEncoder}
	logging.BindFlags(flag.CommandLine)
	flag.Parse()
	if flag.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q; see --help for the flags", flag.Arg(0))
	}
	if options.AuthServerImage == "" {
		return fmt.Errorf("--auth-server-image is empty: name the image that auth servers run")
	}
	ctrl.SetLogger(zap.New(zap.UseFlagOptions(&logging)))

	ctx := ctrl.SetupSignalHandler()
	cfg, err := ctrl.GetConfig()
	if err != nil {
		return fmt.Errorf("finding the cluster: %w; set --kubeconfig or KUBECONFIG", err)
	}
	mgr, err := operator.New(ctx, cfg, options)
	if err != nil {
		return err
	}
	return mgr.Start(ctx)
}
