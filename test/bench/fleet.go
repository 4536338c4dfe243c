package main

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/internal/controlplane"
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
	plane, err := controlplane.Start(ctx, controlplane.Options{})
	if err != nil {
		return nil, err
	}
	f := &fleet{plane: plane, configs: configs, consumers: consumers}
	if f.admin, err = client.New(plane.Config, client.Options{Scheme: operator.Scheme}); err == nil {
		err = f.fill(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, plane.Stop())
	}
	return f, nil
}

func (f *fleet) objects() int { return f.configs + f.consumers }

// fill creates the objects. There is no MCPOIDCConfig, so that nothing rolls
// out and every write is one of a status.
func (f *fleet) fill(ctx context.Context) error {
	progress("creating %d configs and %d consumers", f.configs, f.consumers)
	if err := f.admin.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}); err != nil {
		return err
	}
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
