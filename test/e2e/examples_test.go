//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/scopegate/scopegate/internal/guard"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/util/yaml"

	"github.com/scopegate/scopegate/test/e2e/chart"
)

// outcome is the result of ToolHive's own example manifests: whether each object
// was accepted, and the content of each child that ToolHive's operator made.
type outcome map[string]string

var childKinds = []schema.GroupVersionKind{
	appsv1.SchemeGroupVersion.WithKind("DeploymentList"), appsv1.SchemeGroupVersion.WithKind("StatefulSetList"),
	corev1.SchemeGroupVersion.WithKind("ServiceList"), corev1.SchemeGroupVersion.WithKind("ConfigMapList"), corev1.SchemeGroupVersion.WithKind("ServiceAccountList"),
	rbacv1.SchemeGroupVersion.WithKind("RoleList"), rbacv1.SchemeGroupVersion.WithKind("RoleBindingList"),
}

// sameExamples applies the examples once more, and compares.
func (s *scenario) sameExamples(without outcome) {
	with := s.applyExamples()
	if diff := cmp.Diff(without, with); diff != "" {
		s.Fatalf("with the guard it is not the same (-without +with):\n%s", diff)
	}
	s.say("ToolHive's examples: %d objects and children, the same with the guard as without.", len(with))
}

// applyExamples applies every example, each in a namespace of its own in which the
// guard is strict, waits until ToolHive's operator is done, and returns the outcome.
func (s *scenario) applyExamples() outcome {
	s.Helper()
	source, err := chart.Source(root)
	s.must(err)
	result := outcome{}
	folder := filepath.Join(source, "examples", "operator")
	s.after("delete", "namespaces", "--selector", "example", "--timeout", "5m")
	number := 0
	s.must(filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(path) != ".yaml" {
			return err
		}
		namespace := fmt.Sprintf("example-%02d", number)
		number++
		s.must(s.client.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace, Labels: map[string]string{"example": "", guard.ModeLabel: guard.ModeStrict}}}))
		name, err := filepath.Rel(folder, path)
		s.must(err)
		return s.applyExample(result, path, name, namespace)
	}))
	s.awaitChildren(result)
	return result
}

func (s *scenario) applyExample(result outcome, path, name, namespace string) error {
	file, err := os.Open(path) //nolint:gosec // An example of ToolHive's.
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	decoder := yaml.NewYAMLOrJSONDecoder(file, 4096)
	for {
		object := &unstructured.Unstructured{}
		err := decoder.Decode(&object.Object)
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("%s: %w", path, err)
		case len(object.Object) == 0 || object.GetKind() == "Namespace":
			continue
		}
		if namespaced, err := s.client.IsObjectNamespaced(object); err == nil && !namespaced {
			// The second time it would exist already, and it is not ToolHive's.
			continue
		}
		object.SetNamespace(namespace)
		what := fmt.Sprintf("%s: %s %s", name, object.GetKind(), object.GetName())
		switch err := s.client.Create(ctx, object); {
		case meta.IsNoMatchError(err):
			result[what] = "no such kind"
		default:
			result[what] = fmt.Sprint(err)
		}
	}
}

func (s *scenario) awaitChildren(result outcome) {
	s.Helper()
	var last outcome
	var since time.Time
	s.must(wait.PollUntilContextTimeout(ctx, time.Second, awaitTimeout, true, func(ctx context.Context) (bool, error) {
		children := outcome{}
		for _, kind := range childKinds {
			list := &unstructured.UnstructuredList{}
			list.SetGroupVersionKind(kind)
			if err := s.client.List(ctx, list); err != nil {
				return false, err
			}
			for i := range list.Items {
				if child := &list.Items[i]; strings.HasPrefix(child.GetNamespace(), "example-") && byToolHive(child) {
					children[fmt.Sprintf("%s %s/%s", child.GetKind(), child.GetNamespace(), child.GetName())] = content(child)
				}
			}
		}
		if !cmp.Equal(last, children) {
			last, since = children, time.Now()
		}
		return time.Since(since) > 4*time.Second, nil
	}))
	for name, child := range last {
		result[name] = child
	}
}

// byToolHive reports whether only ToolHive's operator and
// kube-controller-manager, which writes the status, have written a child. A
// child that a pod of ToolHive makes or edits depends on when that pod runs.
func byToolHive(object *unstructured.Unstructured) bool {
	return object.GetName() != "kube-root-ca.crt" && !slices.ContainsFunc(object.GetManagedFields(), func(entry metav1.ManagedFieldsEntry) bool {
		return entry.Manager != "thv-operator" && entry.Manager != "kube-controller-manager"
	})
}

// content returns the requested content of an object, without what the cluster
// adds.
func content(object *unstructured.Unstructured) string {
	object = object.DeepCopy()
	unstructured.RemoveNestedField(object.Object, "status")
	object.Object["metadata"] = map[string]any{"labels": object.GetLabels(), "annotations": object.GetAnnotations()}
	for _, assigned := range []string{"clusterIP", "clusterIPs", "healthCheckNodePort"} {
		unstructured.RemoveNestedField(object.Object, "spec", assigned)
	}
	text, err := json.Marshal(object.Object)
	if err != nil {
		panic(err)
	}
	return string(text)
}
