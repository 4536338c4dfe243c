package controller

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/internal/kinds"
	"github.com/scopegate/scopegate/internal/resolve"
)

// lookup reads the cache.
type lookup struct {
	client.Reader
	// defaults are the default scopes of auth servers, if they differ from
	// toolhive.DefaultScopes.
	defaults []string
}

// consumerOf returns object as a consumer, and false if its kind runs no auth
// server.
func (l lookup) consumerOf(object any) (resolve.Consumer, bool) {
	consumer, ok := resolve.ConsumerOf(object)
	if len(l.defaults) > 0 {
		consumer.Defaults = l.defaults
	}
	return consumer, ok
}

// get reads an object without copying it, and reports whether it exists.
func (l lookup) get(ctx context.Context, namespace, name string, into client.Object) (bool, error) {
	err := l.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, into, client.UnsafeDisableDeepCopy)
	if apierrors.IsNotFound(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("reading %s/%s: %w", namespace, name, err)
	}
	return true, nil
}

// configs returns a lookup of the MCPExternalAuthConfigs in a namespace.
func (l lookup) configs(ctx context.Context, namespace string) resolve.ConfigLookup {
	return func(name string) (*v1beta1.MCPExternalAuthConfig, error) {
		config := &v1beta1.MCPExternalAuthConfig{}
		if found, err := l.get(ctx, namespace, name, config); err != nil || !found {
			return nil, err
		}
		return config, nil
	}
}

// consumers returns the consumers of a kind whose indexed field has a value.
func (l lookup) consumers(ctx context.Context, kind kinds.Kind, namespace, field, value string) ([]resolve.Consumer, error) {
	list := kind.EmptyList()
	if err := l.List(ctx, list, client.InNamespace(namespace), client.MatchingFields{field: value}, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("listing every %s by %s %q: %w", kind.Name, field, value, err)
	}
	var consumers []resolve.Consumer
	err := meta.EachListItem(list, func(object runtime.Object) error {
		if consumer, ok := l.consumerOf(object); ok {
			consumers = append(consumers, consumer)
		}
		return nil
	})
	return consumers, err
}

// pairs returns the pairs of all consumers that reference a config.
func (l lookup) pairs(ctx context.Context, namespace, config string) ([]resolve.Pair, error) {
	configs := l.configs(ctx, namespace)
	var pairs []resolve.Pair
	for _, kind := range kinds.Consumers {
		consumers, err := l.consumers(ctx, kind, namespace, byConfig, config)
		if err != nil {
			return nil, err
		}
		for _, consumer := range consumers {
			pair, err := resolve.Resolve(consumer, configs)
			if err != nil {
				return nil, err
			}
			pairs = append(pairs, pair)
		}
	}
	return pairs, nil
}
