// Package examples applies ToolHive's own example manifests, and describes what
// ToolHive's operator makes of them: with the guard and without, it has to be
// the same.
package examples

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// calm is for how long nothing may change until ToolHive's operator counts as
// done, and timeout how long that is waited for.
const (
	calm    = 4 * time.Second
	timeout = 2 * time.Minute
)

// operators are who may write a child that is compared: ToolHive's operator, and
// what writes the status of it. A child that a pod of ToolHive makes or edits
// depends on when that pod runs.
var operators = []string{"thv-operator", "kube-controller-manager"}

// childKinds are of what ToolHive's operator makes. Secrets are not read.
var childKinds = []schema.GroupVersionKind{
	{Group: "apps", Version: "v1", Kind: "Deployment"},
	{Group: "apps", Version: "v1", Kind: "StatefulSet"},
	{Version: "v1", Kind: "Service"},
	{Version: "v1", Kind: "ConfigMap"},
	{Version: "v1", Kind: "ServiceAccount"},
	{Group: "rbac.authorization.k8s.io", Version: "v1", Kind: "Role"},
	{Group: "rbac.authorization.k8s.io", Version: "v1", Kind: "RoleBinding"},
}

// Outcome is what came of all examples: by the name of a file and an object,
// whether it was accepted; and by the same of each child, what it says.
type Outcome struct {
	Accepted map[string]string
	Children map[string]string
}

// Apply applies every file of a folder, each in a namespace of its own, waits
// until nothing changes, and returns what came of it.
func Apply(ctx context.Context, c client.Client, folder string) (*Outcome, error) {
	outcome := &Outcome{Accepted: map[string]string{}, Children: map[string]string{}}
	var namespaces []string
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(path) != ".yaml" {
			return err
		}
		name, err := filepath.Rel(folder, path)
		if err != nil {
			return err
		}
		namespace := fmt.Sprintf("example-%02d", len(namespaces))
		namespaces = append(namespaces, namespace)
		return outcome.applyFile(ctx, c, path, name, namespace)
	})
	if err != nil {
		return nil, err
	}
	return outcome, outcome.awaitChildren(ctx, c, namespaces)
}

func (o *Outcome) applyFile(ctx context.Context, c client.Client, path, name, namespace string) error {
	if err := c.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}); err != nil {
		return err
	}
	file, err := os.Open(path) //nolint:gosec // An example.
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	decoder := yaml.NewYAMLOrJSONDecoder(file, 4096)
	for {
		object := &unstructured.Unstructured{}
		err := decoder.Decode(&object.Object)
		switch {
		case err != nil && err.Error() == "EOF":
			return nil
		case err != nil:
			return fmt.Errorf("%s: %w", name, err)
		case len(object.Object) == 0 || object.GetKind() == "Namespace":
			continue
		}
		if namespaced, err := c.IsObjectNamespaced(object); err == nil && !namespaced {
			// It would be there already the second time, and is not ToolHive's.
			continue
		}
		object.SetNamespace(namespace)
		o.Accepted[fmt.Sprintf("%s: %s %s", name, object.GetKind(), object.GetName())] = answer(c.Create(ctx, object))
	}
}

// answer is what the API server said, in words that are the same each time.
func answer(err error) string {
	var status *apierrors.StatusError
	switch {
	case err == nil:
		return "accepted"
	case errors.As(err, &status):
		return string(status.ErrStatus.Reason) + ": " + status.ErrStatus.Message
	case meta.IsNoMatchError(err):
		return "no such kind"
	default:
		return err.Error()
	}
}

func (o *Outcome) awaitChildren(ctx context.Context, c client.Client, namespaces []string) error {
	var last string
	var since time.Time
	return wait.PollUntilContextTimeout(ctx, time.Second, timeout, true, func(ctx context.Context) (bool, error) {
		clear(o.Children)
		for _, kind := range childKinds {
			list := &unstructured.UnstructuredList{}
			list.SetGroupVersionKind(kind.GroupVersion().WithKind(kind.Kind + "List"))
			if err := c.List(ctx, list); err != nil {
				return false, err
			}
			for i := range list.Items {
				child := &list.Items[i]
				if slices.Contains(namespaces, child.GetNamespace()) && byOperators(child) {
					o.Children[fmt.Sprintf("%s %s/%s", child.GetKind(), child.GetNamespace(), child.GetName())] = content(child)
				}
			}
		}
		text, err := json.Marshal(o.Children)
		if err != nil {
			return false, err
		}
		if string(text) != last {
			last, since = string(text), time.Now()
		}
		return time.Since(since) >= calm, nil
	})
}

func byOperators(object *unstructured.Unstructured) bool {
	return !slices.ContainsFunc(object.GetManagedFields(), func(entry metav1.ManagedFieldsEntry) bool {
		return !slices.Contains(operators, entry.Manager)
	}) && object.GetName() != "kube-root-ca.crt"
}

// content is what was asked for: not what the cluster made of it.
func content(object *unstructured.Unstructured) string {
	object = object.DeepCopy()
	unstructured.RemoveNestedField(object.Object, "status")
	kept := map[string]any{"labels": object.GetLabels(), "annotations": object.GetAnnotations()}
	object.Object["metadata"] = kept
	for _, assigned := range []string{"clusterIP", "clusterIPs", "healthCheckNodePort"} {
		unstructured.RemoveNestedField(object.Object, "spec", assigned)
	}
	text, err := json.Marshal(object.Object)
	if err != nil {
		panic(err)
	}
	return string(text)
}

// Diff returns in which the outcomes differ, one line for each object.
func Diff(without, with *Outcome) []string {
	var lines []string
	for what, pair := range map[string][2]map[string]string{
		"the answer to": {without.Accepted, with.Accepted}, "the child": {without.Children, with.Children},
	} {
		for name := range pair[0] {
			if pair[0][name] != pair[1][name] {
				lines = append(lines, fmt.Sprintf("%s %s: without the guard %s, with it %s", what, name, clip(pair[0][name]), clip(pair[1][name])))
			}
		}
		for name := range pair[1] {
			if _, found := pair[0][name]; !found {
				lines = append(lines, fmt.Sprintf("%s %s is there only with the guard: %s", what, name, clip(pair[1][name])))
			}
		}
	}
	slices.Sort(lines)
	return lines
}

// clip cuts a text to what is worth showing.
func clip(text string) string {
	const most = 300
	if text == "" {
		return "none"
	}
	return text[:min(len(text), most)]
}
