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

	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/internal/status"
)

var heldSince = regexp.MustCompile(`held since [-:0-9TZ]+`)

// snapshot is all that a namespace ended as, but for what differs between two
// runs of the same: names of namespaces, times, and what the API server counts.
func snapshot(ctx context.Context, w *world) (string, error) {
	var lines []string
	for _, list := range []client.ObjectList{
		&v1beta1.MCPExternalAuthConfigList{}, &v1beta1.MCPServerList{}, &v1beta1.MCPRemoteProxyList{}, &v1beta1.VirtualMCPServerList{},
		&appsv1.DeploymentList{}, &corev1.ServiceList{},
	} {
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

// content is what is compared of an object.
func content(object client.Object) any {
	switch object := object.(type) {
	case *appsv1.Deployment:
		return object.Spec
	case *corev1.Service:
		spec := object.Spec
		spec.ClusterIP, spec.ClusterIPs = "", nil
		return spec
	case status.Object:
		current := object.GetStatus().DeepCopy()
		for i := range current.Conditions {
			current.Conditions[i].LastTransitionTime = metav1.Time{}
		}
		slices.SortFunc(current.Conditions, func(a, b metav1.Condition) int { return strings.Compare(a.Type, b.Type) })
		return current
	default:
		return nil
	}
}
