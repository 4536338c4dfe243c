package operator

import (
	"flag"
	"os"
	"strings"

	"go.uber.org/zap/zapcore"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"

	"github.com/scopegate/scopegate/internal/guard"
	"github.com/scopegate/scopegate/internal/scopes"
	"github.com/scopegate/scopegate/internal/toolhive"
)

// Flags are what the command line of the manager sets.
type Flags struct {
	Options
	// Cleanup removes the condition from every object instead of running a manager.
	Cleanup bool
	// Logging is how the manager logs.
	Logging zap.Options
}

// Bind adds the flags to a set. controller-runtime adds --kubeconfig.
func (f *Flags) Bind(set *flag.FlagSet) {
	set.BoolVar(&f.Standalone, "standalone", false, "Replace ToolHive's operator, on scopegate's own CRDs: write the whole status and run the auth servers. By default the manager works beside ToolHive's operator.")
	set.BoolVar(&f.Cleanup, "cleanup", false, "Remove the condition from every object and exit. Run this before you delete the guard's manifest.")
	set.Func("watch-namespaces", "The namespaces to work in, separated by commas; all if empty.", func(value string) error {
		f.Namespaces = nil
		if value != "" {
			f.Namespaces = strings.Split(value, ",")
		}
		return nil
	})
	set.Var((*scopes.List)(&f.DefaultScopes), "default-scopes", "The scopes that the auth server supports if none are configured, separated by spaces; by default "+strings.Join(toolhive.DefaultScopes, " ")+". Not in standalone mode.")
	set.StringVar(&f.Mode, "mode", guard.ModeWarn, "The mode of namespaces without the label "+guard.ModeLabel+", as the policies are installed: warn, enforce or strict. The guard compares its policies with it; if empty, it does not check them.")
	set.StringVar(&f.OwnNamespace, "namespace", os.Getenv("POD_NAMESPACE"), "The namespace of the manager, by default $POD_NAMESPACE. Only --cleanup reads it.")
	set.StringVar(&f.MetricsBindAddress, "metrics-bind-address", ":8080", "The address that serves metrics; 0 disables it.")
	set.BoolVar(&f.MetricsSecure, "metrics-secure", false, "Serve metrics over HTTPS, only to clients that the API server authorizes to get /metrics.")
	set.StringVar(&f.HealthProbeBindAddress, "health-probe-bind-address", ":8081", "The address that serves /healthz and /readyz; 0 disables it.")
	set.StringVar(&f.PprofBindAddress, "pprof-bind-address", "0", "The address that serves net/http/pprof; 0 disables it.")
	set.BoolVar(&f.LeaderElect, "leader-elect", false, "Elect a leader among several managers; the others wait.")
	set.StringVar(&f.LeaderElectionNamespace, "leader-election-namespace", "", "The namespace of the lease; by default the manager's own.")
	set.StringVar(&f.AuthServerImage, "auth-server-image", "scopegate-authserver:latest", "The image of auth servers in standalone mode.")
	set.IntVar(&f.Concurrency, "concurrency", DefaultConcurrency, "The number of objects of each kind that are reconciled concurrently.")
	f.Logging.TimeEncoder = zapcore.RFC3339TimeEncoder
	f.Logging.BindFlags(set)
}
