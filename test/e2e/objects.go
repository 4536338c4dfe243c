package main

import (
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/internal/resolve"
	"github.com/scopegate/scopegate/internal/rollout"
)

// kinds are the kinds of the scenarios, by how kubectl is told them.
var kinds = map[string]string{
	"mcpexternalauthconfig": resolve.KindMCPExternalAuthConfig,
	"mcpserver":             "MCPServer",
	"mcpremoteproxy":        "MCPRemoteProxy",
	"virtualmcpserver":      resolve.KindVirtualMCPServer,
}

// state is a condition, with the generations of its object.
type state struct {
	status, reason, message string
	generation, observed    int64
}

// read reads a condition of an object, on whichever CRDs.
func (s *suite) read(namespace, kind, name, conditionType string) (state, error) {
	object := &unstructured.Unstructured{}
	object.SetGroupVersionKind(schema.GroupVersionKind{Group: v1beta1.GroupVersion.Group, Version: v1beta1.GroupVersion.Version, Kind: kinds[kind]})
	if err := s.admin.Get(s.ctx, client.ObjectKey{Namespace: namespace, Name: name}, object); err != nil {
		return state{}, err
	}
	conditions, _, err := unstructured.NestedSlice(object.Object, "status", "conditions")
	if err != nil {
		return state{}, err
	}
	for _, condition := range conditions {
		fields, ok := condition.(map[string]any)
		if !ok || fields["type"] != conditionType {
			continue
		}
		observed, _ := fields["observedGeneration"].(int64)
		return state{
			status: fmt.Sprint(fields["status"]), reason: fmt.Sprint(fields["reason"]), message: fmt.Sprint(fields["message"]),
			generation: object.GetGeneration(), observed: observed,
		}, nil
	}
	return state{}, fmt.Errorf("%s/%s has no condition %s", kind, name, conditionType)
}

// child is the name of the Deployment and of the Service of a consumer.
func child(namespace, consumer string) string {
	kind, name, _ := strings.Cut(consumer, "/")
	return rollout.ChildName(resolve.Consumer{Kind: kinds[kind], Namespace: namespace, Name: name})
}

// uids are the pods of a consumer by name, with their uids.
func (s *suite) uids(namespace, consumer string) map[string]string {
	uids := map[string]string{}
	for name, pod := range s.pods(namespace, child(namespace, consumer)) {
		uids[name] = string(pod.UID)
	}
	return uids
}

// showConditions shows all conditions of objects, one a line.
func (s *suite) showConditions(namespace string, objects ...string) {
	const lines = `jsonpath={range .status.conditions[*]}{.type}={.status}  {.reason}: {.message}{"\n"}{end}`
	for _, object := range objects {
		s.kubectl("--namespace", namespace, "get", object, "--output", lines)
	}
}

// everything lists every object of the cluster that stays unless somebody
// deletes it, as KIND NAMESPACE/NAME.
func (s *suite) everything() map[string]bool {
	found, err := s.tryEverything()
	s.must(err)
	return found
}

// tryEverything fails also where a kind goes meanwhile.
func (s *suite) tryEverything() (map[string]bool, error) {
	lists, err := s.discovery().ServerPreferredResources()
	if err != nil {
		return nil, err
	}
	found := map[string]bool{}
	for _, list := range lists {
		version, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			return nil, err
		}
		for _, resource := range list.APIResources {
			if listable(resource) && !passing[resource.Kind] {
				if err := s.listAll(version.WithKind(resource.Kind), found); err != nil {
					return nil, err
				}
			}
		}
	}
	return found, nil
}

// passing are the kinds whose objects come and go by themselves.
var passing = map[string]bool{"Event": true, "ComponentStatus": true, "PodMetrics": true}

func listable(resource metav1.APIResource) bool {
	for _, verb := range resource.Verbs {
		if verb == "list" {
			return !strings.Contains(resource.Name, "/")
		}
	}
	return false
}

func (s *suite) listAll(gvk schema.GroupVersionKind, found map[string]bool) error {
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(gvk.GroupVersion().WithKind(gvk.Kind + "List"))
	if err := s.admin.List(s.ctx, list); err != nil {
		return fmt.Errorf("listing every %s: %w", gvk.Kind, err)
	}
	for i := range list.Items {
		found[fmt.Sprintf("%s %s/%s", gvk.Kind, list.Items[i].GetNamespace(), list.Items[i].GetName())] = true
	}
	return nil
}
