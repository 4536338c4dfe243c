// Package crds determines whose CRDs a cluster has, by the schemas that its API
// server publishes. Everybody may read them, so it needs no permission on CRDs.
package crds

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/openapi"
	"k8s.io/kube-openapi/pkg/spec3"
	"k8s.io/kube-openapi/pkg/validation/spec"

	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/internal/resolve"
)

// OwnField maps a kind to the path of a field that only scopegate's CRDs have.
var OwnField = map[string][]string{
	resolve.KindMCPExternalAuthConfig: {"spec", "embeddedAuthServer", "scopesSupported"},
	resolve.KindVirtualMCPServer:      {"spec", "authServerConfig", "scopesSupported"},
}

// Own reports for each kind in OwnField whether its CRD is scopegate's own. It
// returns an error if the API server does not serve all of these kinds.
func Own(client openapi.Client) (map[string]bool, error) {
	paths, err := client.Paths()
	if err != nil {
		return nil, fmt.Errorf("reading the API server's schemas: %w", err)
	}
	group, found := paths["apis/"+v1beta1.GroupVersion.String()]
	if !found {
		return nil, fmt.Errorf("the cluster does not serve %s: neither ToolHive's nor scopegate's CRDs are installed: install ToolHive first, or apply config/crd for standalone mode (--standalone)", v1beta1.GroupVersion)
	}
	text, err := group.Schema("application/json")
	if err != nil {
		return nil, fmt.Errorf("reading the schemas of %s: %w", v1beta1.GroupVersion, err)
	}
	document := &spec3.OpenAPI{}
	if err := json.Unmarshal(text, document); err != nil {
		return nil, fmt.Errorf("decoding the schemas of %s: %w", v1beta1.GroupVersion, err)
	}
	own := map[string]bool{}
	if document.Components != nil {
		for _, schema := range document.Components.Schemas {
			var kinds []metav1.GroupVersionKind
			if err := schema.Extensions.GetObject("x-kubernetes-group-version-kind", &kinds); err != nil || len(kinds) == 0 {
				continue
			}
			own[kinds[0].Kind] = hasField(schema, OwnField[kinds[0].Kind])
		}
	}
	for _, kind := range slices.Sorted(maps.Keys(OwnField)) {
		if _, served := own[kind]; !served {
			return nil, fmt.Errorf("the cluster serves no %s in %s: ToolHive's or scopegate's CRDs are only partly installed", kind, v1beta1.GroupVersion)
		}
	}
	return own, nil
}

// hasField reports whether a schema has the field at path.
func hasField(schema *spec.Schema, path []string) bool {
	for _, name := range path {
		field, ok := schema.Properties[name]
		if !ok {
			return false
		}
		schema = &field
	}
	return true
}
