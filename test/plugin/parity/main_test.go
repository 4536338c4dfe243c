// Package parity_test compares the linter with a real API server. On generated
// manifests, as creates and as updates, the two must report the same causes,
// unknown fields and duplicate fields.
package parity_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"

	"github.com/scopegate/scopegate/config"
	"github.com/scopegate/scopegate/internal/testing/controlplane"
	"github.com/scopegate/scopegate/internal/testing/corpus"
	"github.com/scopegate/scopegate/internal/testing/testenv"
)

var cluster *testenv.Cluster

// TestMain starts a control plane whose CRDs bound nothing yet, so that the
// tests can store invalid objects.
func TestMain(m *testing.M) {
	crds, err := weakCRDs()
	if err != nil {
		panic(err)
	}
	testenv.Main(m, &cluster, controlplane.Options{CRDs: crds})
}

// weakCRDs returns scopegate's CRDs without rules, patterns, enums and bounds.
func weakCRDs() ([]*apiextensionsv1.CustomResourceDefinition, error) {
	objects, err := config.Objects("crd")
	if err != nil {
		return nil, err
	}
	crds := make([]*apiextensionsv1.CustomResourceDefinition, len(objects))
	for i, object := range objects {
		corpus.Weaken(object.Object, bounds...)
		crds[i] = &apiextensionsv1.CustomResourceDefinition{}
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, crds[i]); err != nil {
			return nil, err
		}
	}
	return crds, nil
}

var bounds = []string{"x-kubernetes-validations", "enum", "pattern", "minLength", "maxLength", "minItems", "maxItems", "maxProperties", "minimum", "maximum"}

type answer struct {
	refused string
	causes  []string
}

var resources = map[string]string{
	"MCPExternalAuthConfig": "mcpexternalauthconfigs", "MCPOIDCConfig": "mcpoidcconfigs", "MCPRemoteProxy": "mcpremoteproxies",
	"MCPServer": "mcpservers", "VirtualMCPServer": "virtualmcpservers",
}

var restClient = sync.OnceValues(func() (*rest.RESTClient, error) {
	cfg := rest.CopyConfig(cluster.Config)
	cfg.WarningHandlerWithContext = rest.NoWarnings{}
	cfg.NegotiatedSerializer = serializer()
	return rest.UnversionedRESTClientFor(cfg)
})

func send(ctx context.Context, namespace string, m manifest, fieldValidation string) (answer, error) {
	c, err := restClient()
	if err != nil {
		return answer{}, err
	}
	path := []string{"/apis/toolhive.stacklok.dev", m.version, "namespaces", namespace, resources[m.object.GetKind()]}
	request := c.Post()
	if m.stored != nil {
		request, path = c.Put(), append(path, m.stored.GetName())
	}
	body, contentType, err := m.body()
	if err != nil {
		return answer{}, err
	}
	err = request.AbsPath(path...).Param("dryRun", "All").Param("fieldValidation", fieldValidation).
		SetHeader("Content-Type", contentType).Body(body).Do(ctx).Error()
	return answerOf(err)
}

func answerOf(err error) (answer, error) {
	var status apierrors.APIStatus
	switch {
	case err == nil:
		return answer{}, nil
	case !errors.As(err, &status):
		return answer{}, err
	case apierrors.IsInvalid(err):
		var causes []string
		for _, cause := range status.Status().Details.Causes {
			causes = append(causes, fmt.Sprintf("%s %s %s", cause.Type, cause.Field, cause.Message))
		}
		return answer{causes: sorted(causes)}, nil
	case apierrors.IsBadRequest(err):
		return answer{refused: status.Status().Message}, nil
	default:
		text, _ := json.Marshal(status.Status())
		return answer{}, fmt.Errorf("neither accepted nor refused for its content: %s", strings.TrimSpace(string(text)))
	}
}
