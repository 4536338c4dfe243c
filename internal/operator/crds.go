package operator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/openapi"
	"k8s.io/client-go/rest"
	"k8s.io/kube-openapi/pkg/spec3"

	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/internal/resolve"
)

// publishTimeout is how long the API server may take to publish CRDs that were
// installed just now.
const publishTimeout = 30 * time.Second

// ownField is the field that only scopegate's CRDs have, by the path to it.
var ownField = map[string][]string{
	resolve.KindMCPExternalAuthConfig: {"spec", "embeddedAuthServer", "scopesSupported"},
	resolve.KindVirtualMCPServer:      {"spec", "authServerConfig", "scopesSupported"},
}

// checkCRDs rejects a cluster whose CRDs are those of the other mode. Standalone mode
// on ToolHive's CRDs would fight ToolHive's operator over each status; guard
// mode on scopegate's own would guard nobody. The published schemas tell which
// they are, and everybody may read them: no right to CRDs is needed.
func checkCRDs(ctx context.Context, cfg *rest.Config, standalone bool) error {
	discoveryClient, err := discovery.NewDiscoveryClientForConfig(cfg)
	if err != nil {
		return fmt.Errorf("reaching the API server: %w", err)
	}
	var last error
	err = wait.PollUntilContextTimeout(ctx, time.Second, publishTimeout, true, func(context.Context) (bool, error) {
		last = checkSchemas(discoveryClient.OpenAPIV3(), standalone)
		var wrongMode *wrongModeError
		return last == nil || errors.As(last, &wrongMode), nil
	})
	if last != nil {
		return last
	}
	return err
}

// wrongModeError is that the CRDs are those of the other mode.
type wrongModeError struct{ kind, detail, remedy string }

func (e *wrongModeError) Error() string {
	return fmt.Sprintf("the CustomResourceDefinition of %s %s: %s", e.kind, e.detail, e.remedy)
}

func checkSchemas(client openapi.Client, standalone bool) error {
	paths, err := client.Paths()
	if err != nil {
		return fmt.Errorf("reading the API server's schemas: %w", err)
	}
	group, found := paths["apis/"+v1beta1.GroupVersion.String()]
	if !found {
		return fmt.Errorf("no CustomResourceDefinition of %s is installed: install ToolHive first, or apply config/crd for standalone mode (--standalone)",
			v1beta1.GroupVersion)
	}
	text, err := group.Schema("application/json")
	if err != nil {
		return fmt.Errorf("reading the schemas of %s: %w", v1beta1.GroupVersion, err)
	}
	document := &spec3.OpenAPI{}
	if err := json.Unmarshal(text, document); err != nil {
		return fmt.Errorf("decoding the schemas of %s: %w", v1beta1.GroupVersion, err)
	}
	for kind, path := range ownField {
		own, found := hasField(document, kind, path)
		switch {
		case !found:
			return fmt.Errorf("no CustomResourceDefinition of %s in %s is installed", kind, v1beta1.GroupVersion)
		case own && !standalone:
			return &wrongModeError{kind, fmt.Sprintf("is scopegate's own (it has %v)", path),
				"the guard is for a cluster with ToolHive's operator and CRDs; start with --standalone for standalone mode"}
		case !own && standalone:
			return &wrongModeError{kind, fmt.Sprintf("is not scopegate's own (it has no %v)", path),
				"ToolHive's operator is in charge of this cluster, and standalone mode, which replaces it, refuses to start; start without --standalone"}
		}
	}
	return nil
}

// hasField reports whether the schema of a kind has the field at path, and whether
// there is a schema of that kind at all.
func hasField(document *spec3.OpenAPI, kind string, path []string) (has, found bool) {
	if document.Components == nil {
		return false, false
	}
	for _, schema := range document.Components.Schemas {
		var kinds []metav1.GroupVersionKind
		if err := schema.Extensions.GetObject("x-kubernetes-group-version-kind", &kinds); err != nil || len(kinds) == 0 || kinds[0].Kind != kind {
			continue
		}
		for _, name := range path {
			field, ok := schema.Properties[name]
			if !ok {
				return false, true
			}
			schema = &field
		}
		return true, true
	}
	return false, false
}
