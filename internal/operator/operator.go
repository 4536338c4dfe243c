// Package operator puts the operator together: cache, controllers, metrics and
// probes. The command, the tests and the development cluster all start it here.
package operator

import (
	"context"
	"fmt"
	"net/http"

	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"

	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/internal/controller"
	scopegatemetrics "github.com/scopegate/scopegate/internal/metrics"
)

// DefaultConcurrency is how many objects of each kind are reconciled at a time:
// a reconcile mostly waits for the API server.
const DefaultConcurrency = 16

// Scheme knows every kind that the operator reads or writes.
var Scheme = runtime.NewScheme()

func init() {
	utilruntime.Must(clientgoscheme.AddToScheme(Scheme))
	utilruntime.Must(apiextensionsv1.AddToScheme(Scheme))
	utilruntime.Must(v1beta1.AddToScheme(Scheme))
}

// Options are what the command line decides.
type Options struct {
	// MetricsBindAddress is where metrics are served, "0" for nowhere.
	MetricsBindAddress string
	// HealthProbeBindAddress is where /healthz and /readyz are served, "" or "0"
	// for nowhere.
	HealthProbeBindAddress string
	// LeaderElect makes all but one of several managers wait.
	LeaderElect bool
	// LeaderElectionNamespace is where the lease is; empty in a cluster, where it
	// is the manager's own.
	LeaderElectionNamespace string
	// AuthServerImage is what the Deployments run.
	AuthServerImage string
	// Concurrency is how many objects of each kind are reconciled at a time;
	// DefaultConcurrency if zero.
	Concurrency int
	// Embedded is for several managers in one process, as tests have them: their
	// controllers share names, and only their own cache is counted, not in the
	// process-wide registry.
	Embedded bool
}

// New returns a manager of whole mode that is ready to start. It refuses CRDs
// that are not scopegate's own.
func New(ctx context.Context, cfg *rest.Config, options Options) (manager.Manager, error) {
	if options.Concurrency == 0 {
		options.Concurrency = DefaultConcurrency
	}
	// API Priority and Fairness is the limit.
	cfg = rest.CopyConfig(cfg)
	cfg.QPS = -1

	if err := checkCRDs(ctx, cfg); err != nil {
		return nil, err
	}
	mgr, err := ctrl.NewManager(cfg, ctrl.Options{
		Scheme:                        Scheme,
		Cache:                         cacheOptions(),
		Metrics:                       metricsserver.Options{BindAddress: options.MetricsBindAddress},
		HealthProbeBindAddress:        options.HealthProbeBindAddress,
		LeaderElection:                options.LeaderElect,
		LeaderElectionID:              "scopegate.toolhive.stacklok.dev",
		LeaderElectionNamespace:       options.LeaderElectionNamespace,
		LeaderElectionReleaseOnCancel: true,
		Controller: config.Controller{
			MaxConcurrentReconciles: options.Concurrency,
			SkipNameValidation:      ptr.To(options.Embedded),
		},
	})
	if err != nil {
		return nil, fmt.Errorf("making the manager: %w", err)
	}
	if err := controller.Setup(ctx, mgr, options.AuthServerImage); err != nil {
		return nil, err
	}
	if !options.Embedded {
		if err := metrics.Registry.Register(scopegatemetrics.Collector{Cache: mgr.GetCache()}); err != nil {
			return nil, fmt.Errorf("registering metrics: %w", err)
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

// cacheSynced is true when every kind has been listed.
func cacheSynced(mgr manager.Manager) healthz.Checker {
	return func(request *http.Request) error {
		if !mgr.GetCache().WaitForCacheSync(request.Context()) {
			return fmt.Errorf("the cache is not synced")
		}
		return nil
	}
}
