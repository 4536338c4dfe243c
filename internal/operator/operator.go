// Package operator puts the operator together: cache, controllers, metrics and
// probes, for guard mode and for standalone mode. The command, the tests and the
// development cluster all start it here.
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

// DefaultConcurrency is how many objects of each kind are reconciled at a time:
// a reconcile mostly waits for the API server.
const DefaultConcurrency = 16

// Names of the leases, so that the two modes never wait for each other.
const (
	StandaloneLease = "scopegate.toolhive.stacklok.dev"
	GuardLease      = "scopegate-guard.toolhive.stacklok.dev"
)

// A leader that can't renew its lease ends. It outlasts an API server that is
// away for a minute. A leader that is stopped releases its lease, and the other
// takes over within retryPeriod.
const (
	leaseDuration = 90 * time.Second
	renewDeadline = 75 * time.Second
	retryPeriod   = 5 * time.Second
)

// Scheme knows every kind that the operator reads or writes.
var Scheme = runtime.NewScheme()

func init() {
	utilruntime.Must(clientgoscheme.AddToScheme(Scheme))
	utilruntime.Must(apiextensionsv1.AddToScheme(Scheme))
	utilruntime.Must(v1beta1.AddToScheme(Scheme))
}

// Options are what the command line decides.
type Options struct {
	// Standalone replaces ToolHive's operator. The default is guard mode, beside it.
	Standalone bool
	// DefaultScopes are what an auth server supports that is told no scopes, in guard
	// mode; ToolHive's that scopegate knows if empty.
	DefaultScopes []string
	// Namespaces are the only ones that are watched; all if empty.
	Namespaces []string
	// OwnNamespace is where the manager is installed, and in guard mode tries its
	// policies; they are not tried if it is empty.
	OwnNamespace string
	// MetricsBindAddress is where metrics are served, "0" for nowhere.
	MetricsBindAddress string
	// MetricsSecure serves them over HTTPS, and to those alone whom the API server
	// lets get /metrics.
	MetricsSecure bool
	// HealthProbeBindAddress is where /healthz and /readyz are served, "" or "0"
	// for nowhere.
	HealthProbeBindAddress string
	// PprofBindAddress is where net/http/pprof is served, "" or "0" for nowhere.
	PprofBindAddress string
	// LeaderElect makes all but one of several managers wait.
	LeaderElect bool
	// LeaderElectionNamespace is where the lease is; empty in a cluster, where it
	// is the manager's own.
	LeaderElectionNamespace string
	// AuthServerImage is what the Deployments of standalone mode run.
	AuthServerImage string
	// Concurrency is how many objects of each kind are reconciled at a time;
	// DefaultConcurrency if zero.
	Concurrency int
	// Embedded is for several managers in one process, as tests have them: their
	// controllers share names, and only their own cache is counted, not in the
	// process-wide registry.
	Embedded bool
}

// New returns a manager that is ready to start. It refuses CRDs that are those
// of the other mode.
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
	// Not before: an address where nobody listens is to be told of at once.
	retryRefusedConnections(cfg)
	mgr, err := ctrl.NewManager(cfg, managerOptions(options))
	if err != nil {
		return nil, fmt.Errorf("making the manager: %w", err)
	}
	setup := setupGuard
	if options.Standalone {
		setup = setupStandalone
	}
	collectors, err := setup(ctx, mgr, options)
	if err != nil {
		return nil, err
	}
	if !options.Embedded {
		for _, collector := range collectors {
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
	collectors := []prometheus.Collector{scopegatemetrics.Collector{Cache: mgr.GetCache(), Held: scopegatemetrics.HeldStandalone}}
	recorder, err := newRecorder(ctx, mgr, rollout.FieldManager)
	if err != nil {
		return nil, err
	}
	return collectors, controller.Setup(ctx, mgr, recorder, options.AuthServerImage)
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
			SkipNameValidation:      ptr.To(options.Embedded),
		},
	}
}

// cacheSynced is true when every kind has been listed.
func cacheSynced(mgr manager.Manager) healthz.Checker {
	return func(request *http.Request) error {
		if !mgr.GetCache().WaitForCacheSync(request.Context()) {
			return fmt.Errorf("the cache is not synced")
		}
		return nil
	}
}
