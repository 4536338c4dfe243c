package operator

import (
	"context"
	"fmt"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/api/v1beta1"
)

// ownField is the field that only scopegate's CRDs have, by the path to it.
var ownField = map[string][]string{
	"mcpexternalauthconfigs.toolhive.stacklok.dev": {"spec", "embeddedAuthServer", "scopesSupported"},
	"virtualmcpservers.toolhive.stacklok.dev":      {"spec", "authServerConfig", "scopesSupported"},
}

// checkCRDs refuses a cluster whose CRDs are not scopegate's own: on ToolHive's,
// ToolHive's operator runs the workloads, and two would fight over each status.
func checkCRDs(ctx context.Context, cfg *rest.Config) error {
	reader, err := client.New(cfg, client.Options{Scheme: Scheme})
	if err != nil {
		return fmt.Errorf("reaching the API server: %w", err)
	}
	for name, path := range ownField {
		crd := &apiextensionsv1.CustomResourceDefinition{}
		err := reader.Get(ctx, client.ObjectKey{Name: name}, crd)
		switch {
		case apierrors.IsNotFound(err):
			return fmt.Errorf("CustomResourceDefinition %s is not installed: apply config/crd first", name)
		case err != nil:
			return fmt.Errorf("reading CustomResourceDefinition %s: %w", name, err)
		case !hasField(crd, path):
			return fmt.Errorf("CustomResourceDefinition %s is not scopegate's own (its version %s has no %v): "+
				"ToolHive's operator is in charge of this cluster, and this mode, which replaces it, refuses to start",
				name, v1beta1.GroupVersion.Version, path)
		}
	}
	return nil
}

func hasField(crd *apiextensionsv1.CustomResourceDefinition, path []string) bool {
	for _, version := range crd.Spec.Versions {
		if version.Name != v1beta1.GroupVersion.Version || !version.Served || version.Schema == nil {
			continue
		}
		schema := version.Schema.OpenAPIV3Schema
		for _, name := range path {
			if schema == nil {
				return false
			}
			field, ok := schema.Properties[name]
			if !ok {
				return false
			}
			schema = &field
		}
		return true
	}
	return false
}
