package reliability_test

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/internal/kinds"
)

var heldSince = regexp.MustCompile(`held since [-:0-9TZ]+`)

// snapshot returns the final content of a namespace, without what differs
// between two runs: names of namespaces, times, and what the API server counts.
func snapshot(ctx context.Context, w *world) (string, error) {
	lists := []client.ObjectList{&appsv1.DeploymentList{}, &corev1.ServiceList{}}
	for _, kind := range kinds.All {
		lists = append(lists, kind.EmptyList())
	}
	var lines []string
	for _, list := range lists {
		if err := w.Client.List(ctx, list, client.InNamespace(w.namespace)); err != nil {
			return "", err
		}
		err := meta.EachListItem(list, func(item runtime.Object) error {
			object := item.(client.Object)
			var owners []string
			for _, owner := range object.GetOwnerReferences() {
				owners = append(owners, owner.Kind+" "+owner.Name)
			}
			text, err := json.Marshal(content(object))
			lines = append(lines, fmt.Sprintf("%T %s of %v labels %v: %s", object, object.GetName(), owners, object.GetLabels(), text))
			return err
		})
		if err != nil {
			return "", err
		}
	}
	slices.Sort(lines)
	return heldSince.ReplaceAllString(strings.ReplaceAll(strings.Join(lines, "\n"), w.namespace, "NAMESPACE"), "held since TIME"), nil
}

func content(object client.Object) any {
	switch object := object.(type) {
	case *appsv1.Deployment:
		return object.Spec
	case *corev1.Service:
		object.Spec.ClusterIP, object.Spec.ClusterIPs = "", nil
		return object.Spec
	case kinds.Object:
		conditions := object.GetStatus().Conditions
		for i := range conditions {
			conditions[i].LastTransitionTime = metav1.Time{}
		}
		slices.SortFunc(conditions, func(a, b metav1.Condition) int { return strings.Compare(a.Type, b.Type) })
		return object.GetStatus()
	default:
		return nil
	}
}
