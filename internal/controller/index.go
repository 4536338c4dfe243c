package controller

import (
	"context"
	"fmt"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/internal/kinds"
	"github.com/scopegate/scopegate/internal/resolve"
	"github.com/scopegate/scopegate/internal/rollout"
)

// Field indexes of consumers.
const (
	// byConfig indexes consumers by the names of the MCPExternalAuthConfigs that
	// they reference.
	byConfig = "config"
	// byOIDCConfig indexes consumers by the name of the MCPOIDCConfig that they
	// reference.
	byOIDCConfig = "oidcConfig"
	// byChild indexes consumers by the name of their Deployment and Service.
	byChild = "child"
)

var indexed = map[string]func(resolve.Consumer) []string{
	byConfig:     resolve.Consumer.ConfigNames,
	byOIDCConfig: func(c resolve.Consumer) []string { return nonEmpty(c.OIDCConfigName()) },
	byChild:      func(c resolve.Consumer) []string { return []string{rollout.ChildName(c)} },
}

// addIndexes adds field indexes on every kind of consumer.
func addIndexes(ctx context.Context, indexer client.FieldIndexer, fields ...string) error {
	for _, kind := range kinds.Consumers {
		for _, field := range fields {
			index := func(object client.Object) []string {
				consumer, _ := resolve.ConsumerOf(object)
				return indexed[field](consumer)
			}
			if err := indexer.IndexField(ctx, kind.Empty(), field, index); err != nil {
				return fmt.Errorf("indexing %s by %s: %w", kind.Name, field, err)
			}
		}
	}
	return nil
}

func nonEmpty(value string) []string {
	if value == "" {
		return nil
	}
	return []string{value}
}
