// Package parity_test compares the linter with a real API server. On generated
// manifests, as creates and as updates, the two must report the same causes,
// unknown fields and duplicate fields.
package parity_test

import (
	"context"
	"errors"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"

	"github.com/scopegate/scopegate/config"
	"github.com/scopegate/scopegate/internal/testing/controlplane"
	"github.com/scopegate/scopegate/internal/testing/corpus"
	"github.com/scopegate/scopegate/internal/testing/testenv"
)

var (
	cluster *testenv.Cluster
	// clientset sends manifests as they are.
	clientset *kubernetes.Clientset
)

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

// send sends a manifest by dry run, and returns why the API server refuses it, or nil.
func send(ctx context.Context, namespace string, m manifest, fieldValidation string) (*apierrors.StatusError, error) {
	resource, _ := meta.UnsafeGuessKindToResource(m.object.GroupVersionKind())
	path := []string{"/apis/toolhive.stacklok.dev", m.version, "namespaces", namespace, resource.Resource}
	request := clientset.RESTClient().Post()
	if m.stored != nil {
		request, path = clientset.RESTClient().Put(), append(path, m.stored.GetName())
	}
	body, err := m.body()
	if err != nil {
		return nil, err
	}
	err = request.AbsPath(path...).Param("dryRun", "All").Param("fieldValidation", fieldValidation).
		SetHeader("Content-Type", "application/yaml").Body(body).Do(ctx).Error()
	var refusal *apierrors.StatusError
	if errors.As(err, &refusal) && (apierrors.IsInvalid(err) || apierrors.IsBadRequest(err)) {
		return refusal, nil
	}
	return nil, err
}
