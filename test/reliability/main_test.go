// Package reliability_test plays schedules of faults between the manager and a
// real API server while a user edits, and compares what the manager does with a
// model: a pure function of the user's objects. See docs/dev/claims.md.
package reliability_test

import (
	"context"
	"errors"
	"flag"
	"math/rand"
	"testing"
	"time"

	"github.com/go-logr/logr"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"

	"github.com/scopegate/scopegate/internal/guard"
	"github.com/scopegate/scopegate/internal/operator"
	"github.com/scopegate/scopegate/internal/testing/controlplane"
	"github.com/scopegate/scopegate/internal/testing/testenv"
	"github.com/scopegate/scopegate/test/guard/setup"
)

var (
	// full is what `make prove SUITE=reliability` sets.
	full      = flag.Int("full", 0, "play all planned schedules, and this number of random ones; 0 plays the few of make test")
	firstSeed = flag.Int64("seed", 1, "seed of the first schedule")
	patience  = flag.Duration("patience", 3*time.Minute, "how long to wait for what takes milliseconds, or seconds where watches and requests back off")
)

// plane is a control plane for a mode.
type plane struct {
	*testenv.Cluster
	// seen is a cache of its objects, over a connection that nothing disturbs.
	seen cache.Cache
	// manager are the options of the managers that run on it.
	manager   operator.Options
	resources []string
	edit      func(*rand.Rand) edit
	// wrong describes something that is not yet as it must be, or returns "".
	wrong func(*world) string
}

// standalone is the plane of standalone mode, and guarded that of guard mode.
var standalone, guarded *plane

func TestMain(m *testing.M) {
	testenv.RunMain(m, func(ctx context.Context, atEnd func(func() error)) (err error) {
		if standalone, err = startStandalone(ctx); err != nil {
			return err
		}
		atEnd(standalone.Stop)
		atEnd(standalone.CheckRollouts)
		crds, err := setup.LikeToolHive()
		if err != nil {
			return err
		}
		guarded, err = startPlane(ctx, &plane{
			manager: operator.Options{}, resources: guardResources, edit: anEditBesideToolHive, wrong: wrongEntry,
		}, controlplane.Options{Controllers: controlplane.Garbage, Guard: true, CRDs: crds})
		if err != nil {
			return err
		}
		atEnd(guarded.Stop)
		// Users may store what this binding rejects, so that its pods are tried too.
		own := &admissionv1.ValidatingAdmissionPolicyBinding{ObjectMeta: metav1.ObjectMeta{Name: guard.VirtualMCPServersPolicy + "-deny"}}
		if err := guarded.Client.Delete(ctx, own); err != nil {
			return err
		}
		if !testing.Verbose() || *full > 0 {
			ctrl.SetLogger(logr.Discard())
		}
		return nil
	})
}

func startPlane(ctx context.Context, p *plane, options controlplane.Options) (_ *plane, err error) {
	if p.Cluster, err = testenv.Start(ctx, options); err != nil {
		return nil, err
	}
	if p.seen, err = cache.New(p.Config, cache.Options{Scheme: operator.Scheme}); err != nil {
		return nil, errors.Join(err, p.Stop())
	}
	go func() { _ = p.seen.Start(ctx) }()
	return p, nil
}

func startStandalone(ctx context.Context) (*plane, error) {
	return startPlane(ctx, &plane{
		manager: operator.Options{Standalone: true, AuthServerImage: testenv.AuthServerImage}, resources: standaloneResources,
		edit: anEdit, wrong: func(w *world) string { return w.model.wrong(w) },
	}, controlplane.Options{Controllers: controlplane.Garbage})
}
