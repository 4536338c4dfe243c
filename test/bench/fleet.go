package main

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/internal/controlplane"
	"github.com/scopegate/scopegate/internal/guard"
	"github.com/scopegate/scopegate/internal/operator"
	"github.com/scopegate/scopegate/internal/testing/testenv"
)

const (
	namespace = "bench"
	// clients is how many requests the plain client has under way, as many as the
	// manager's controllers that have work here.
	clients = 2 * operator.DefaultConcurrency
	// oneBadIn is how rare a baseline is that is not supported.
	oneBadIn = 100
)

// fleet is a control plane with configs and their consumers.
type fleet struct {
	plane              *controlplane.ControlPlane
	admin              client.Client
	configs, consumers int
}

// startFleet starts a control plane and creates the objects. Its plane must be
// stopped.
func startFleet(ctx context.Context, configs, consumers int) (*fleet, error) {
	plane, admin, err := startPlane(ctx, controlplane.Options{})
	if err != nil {
		return nil, err
	}
	f := &fleet{plane: plane, admin: admin, configs: configs, consumers: consumers}
	if err := f.fill(ctx); err != nil {
		return nil, errors.Join(err, plane.Stop())
	}
	return f, nil
}

// startPlane starts a control plane with a namespace in which the guard is off, to be
// stopped, and returns an administrator's client of it, without a limit of its own.
func startPlane(ctx context.Context, options controlplane.Options) (*controlplane.ControlPlane, client.Client, error) {
	plane, err := controlplane.Start(ctx, options)
	if err != nil {
		return nil, nil, err
	}
	cfg := rest.CopyConfig(plane.Config)
	cfg.QPS = -1
	admin, err := client.New(cfg, client.Options{Scheme: operator.Scheme})
	if err == nil {
		labels := map[string]string{guard.ModeLabel: guard.ModeOff}
		err = admin.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace, Labels: labels}})
	}
	if err != nil {
		return nil, nil, errors.Join(err, plane.Stop())
	}
	return plane, admin, nil
}

func (f *fleet) objects() int { return f.configs + f.consumers }

// fill creates the objects. There is no MCPOIDCConfig, so that nothing rolls
// out and every write is one of a status.
func (f *fleet) fill(ctx context.Context) error {
	progress("creating %d configs and %d consumers", f.configs, f.consumers)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(clients)
	for i := range f.configs {
		group.Go(func() error {
			baseline := []string{"openid", "offline_access"}
			if i%oneBadIn == 0 {
				baseline = append(baseline, "admin")
			}
			return f.admin.Create(ctx, testenv.Config(namespace, fmt.Sprintf("config-%d", i), baseline...))
		})
	}
	for i := range f.consumers {
		group.Go(func() error {
			config := fmt.Sprintf("config-%d", i%f.configs)
			return f.admin.Create(ctx, testenv.Server(namespace, fmt.Sprintf("server-%d", i), testenv.AuthServerRef(config)))
		})
	}
	return group.Wait()
}
