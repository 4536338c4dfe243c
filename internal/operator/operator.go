// Package operator assembles the operator: cache, controllers, metrics and
// probes, for guard mode and for standalone mode. The command, the tests and the
// development cluster start it here.
package operator

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	"sigs.k8s.io/controller-runtime/pkg/metrics/filters"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/internal/controller"
	scopegatemetrics "github.com/scopegate/scopegate/internal/metrics"
	"github.com/scopegate/scopegate/internal/rollout"
)

// DefaultConcurrency is the default number of objects of each kind that are
// reconciled concurrently. A reconcile mostly waits for the API server.
const DefaultConcurrency = 16

// The names of the leases. They differ, so that the two modes never wait for each
// other.
const (
	StandaloneLease = "scopegate.toolhive.stacklok.dev"
	GuardLease      = "scopegate-guard.toolhive.stacklok.dev"
)

// A leader exits if it can't renew its lease; it survives an API server outage of
// a minute. A leader that is stopped releases its lease. Another takes over within
// 2.2 retryPeriods: client-go adds up to 120 % to each.
const (
	leaseDuration = 90 * time.Second
	renewDeadline = 75 * time.Second
	retryPeriod   = 2 * time.Second
)

// Scheme has every kind that the operator reads or writes.
var Scheme = runtime.NewScheme()

func init() {
	utilruntime.Must(clientgoscheme.AddToScheme(Scheme))
	utilruntime.Must(apiextensionsv1.AddToScheme(Scheme))
	utilruntime.Must(v1beta1.AddToScheme(Scheme))
}

// Options are the settings from the command line.
type Options struct {
	// Standalone replaces ToolHive's operator. The default is guard mode, beside it.
	Standalone bool
	// DefaultScopes are the scopes that an auth server supports if none are
	// configured. If empty, toolhive.DefaultScopes apply. Only in guard mode.
	DefaultScopes []string
	// Namespaces are the watched namespaces; all if empty.
	Namespaces []string
	// Mode is the mode of namespaces without guard.ModeLabel. The check of the
	// policies expects them so; if empty, they are not checked. Only in guard mode.
	Mode string
	// OwnNamespace is the guard's namespace, which the cleanup asks for a running manager.
	OwnNamespace string
	// MetricsBindAddress is the address that serves metrics; "0" disables it.
	MetricsBindAddress string
	// MetricsSecure serves metrics over HTTPS, only to clients that the API
	// server authorizes to get /metrics.
	MetricsSecure bool
	// HealthProbeBindAddress is the address that serves /healthz and /readyz; ""
	// or "0" disables it.
	HealthProbeBindAddress string
	// PprofBindAddress is the address that serves net/http/pprof; "" or "0"
	// disables it.
	PprofBindAddress string
	// LeaderElect enables leader election among several managers.
	LeaderElect bool
	// LeaderElectionNamespace is the namespace of the lease. If empty, it is the
	// manager's own, which is known only in a cluster.
	LeaderElectionNamespace string
	// AuthServerImage is the image of the Deployments in standalone mode.
	AuthServerImage string
	// Concurrency is the number of objects of each kind that are reconciled
	// concurrently; DefaultConcurrency if zero.
	Concurrency int
	// SharedProcess is for several managers in one process, as in tests and in the
	// demo: their controllers may share names, and their metrics are not registered
	// process-wide.
	SharedProcess bool
}

// New returns a manager that is ready to start. It returns an error if the
// cluster has the CRDs of the other mode.
func New(ctx context.Context, cfg *rest.Config, options Options) (manager.Manager, error) {
	// API Priority and Fairness is the limit.
	cfg = rest.CopyConfig(cfg)
	cfg.QPS = -1

	if err := checkCRDs(ctx, cfg, options.Standalone); err != nil {
		return nil, err
	}
	if err := logVersions(ctx, cfg); err != nil {
		return nil, err
	}
	// Only now, so that an address where nothing listens is an error at once.
	retryRefusedConnections(cfg)
	mgr, err := ctrl.NewManager(cfg, managerOptions(options))
	if err != nil {
		return nil, fmt.Errorf("creating the manager: %w", err)
	}
	setup := setupGuard
	if options.Standalone {
		setup = setupStandalone
	}
	collectors, err := setup(ctx, mgr, options)
	if err != nil {
		return nil, err
	}
	if !options.SharedProcess {
		for _, collector := range append(collectors, scopegatemetrics.WatchErrors) {
			if err := metrics.Registry.Register(collector); err != nil {
				return nil, fmt.Errorf("registering metrics: %w", err)
			}
		}
	}
	if err := mgr.AddHealthzCheck("ping", healthz.Ping); err != nil {
		return nil, fmt.Errorf("adding the liveness check: %w", err)
	}
	if err := mgr.AddReadyzCheck("cache", cacheSynced(mgr)); err != nil {
		return nil, fmt.Errorf("adding the readiness check: %w", err)
	}
	return mgr, nil
}

func setupStandalone(ctx context.Context, mgr manager.Manager, options Options) ([]prometheus.Collector, error) {
	collectors := []prometheus.Collector{scopegatemetrics.Collector{Cache: mgr.GetCache(), Standalone: true}}
	recorder, err := newRecorder(ctx, mgr, rollout.FieldManager)
	if err != nil {
		return nil, err
	}
	return collectors, controller.SetupStandalone(ctx, mgr, recorder, options.AuthServerImage)
}

func managerOptions(options Options) ctrl.Options {
	if options.Concurrency == 0 {
		options.Concurrency = DefaultConcurrency
	}
	served := metricsserver.Options{BindAddress: options.MetricsBindAddress, SecureServing: options.MetricsSecure}
	if options.MetricsSecure {
		served.FilterProvider = filters.WithAuthenticationAndAuthorization
	}
	lease, cached := GuardLease, guardCache()
	if options.Standalone {
		lease, cached = StandaloneLease, standaloneCache()
	}
	cached.DefaultWatchErrorHandler = scopegatemetrics.CountWatchError
	for _, namespace := range options.Namespaces {
		if cached.DefaultNamespaces == nil {
			cached.DefaultNamespaces = map[string]cache.Config{}
		}
		cached.DefaultNamespaces[namespace] = cache.Config{}
	}
	return ctrl.Options{
		Scheme:                        Scheme,
		Cache:                         cached,
		Metrics:                       served,
		HealthProbeBindAddress:        options.HealthProbeBindAddress,
		PprofBindAddress:              options.PprofBindAddress,
		LeaderElection:                options.LeaderElect,
		LeaderElectionID:              lease,
		LeaderElectionNamespace:       options.LeaderElectionNamespace,
		LeaderElectionReleaseOnCancel: true,
		LeaseDuration:                 ptr.To(leaseDuration),
		RenewDeadline:                 ptr.To(renewDeadline),
		RetryPeriod:                   ptr.To(retryPeriod),
		Controller: config.Controller{
			MaxConcurrentReconciles: options.Concurrency,
			SkipNameValidation:      ptr.To(options.SharedProcess),
		},
	}
}

// cacheSynced returns a check that succeeds once every kind has been listed.
func cacheSynced(mgr manager.Manager) healthz.Checker {
	return func(request *http.Request) error {
		if !mgr.GetCache().WaitForCacheSync(request.Context()) {
			return fmt.Errorf("the cache is not synced")
		}
		return nil
	}
}
