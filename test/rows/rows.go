// Package rows holds an object for every row of the tables of conditions
// (docs/conditions.md), in both modes, with what a GitOps tool should make of it.
// Their statuses come from the code that the reconcilers use.
package rows

import (
	"fmt"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/internal/resolve"
	scopegate "github.com/scopegate/scopegate/internal/status"
)

// Health is what a health check says, in the words of Argo CD.
type Health string

// What a health check says.
const (
	Healthy     Health = "Healthy"
	Progressing Health = "Progressing"
	Degraded    Health = "Degraded"
	Suspended   Health = "Suspended"
)

// Row is an object and what to make of it.
type Row struct {
	// Name is unique, and says of which mode, kind and situation.
	Name   string
	Object *unstructured.Unstructured
	// Kstatus is what tools say that know only the conventions of Kubernetes.
	Kstatus status.Status
	// Health is what the health checks of config/gitops say.
	Health Health
}

// Namespace is that of all objects, and Generation what they are at.
const (
	Namespace  = "ns"
	Generation = int64(3)
)

// consumerKinds are in the order of the rows.
var consumerKinds = []string{resolve.KindMCPServer, resolve.KindMCPRemoteProxy, resolve.KindVirtualMCPServer}

// All returns the rows of both modes.
func All() ([]Row, error) {
	rows, err := whole()
	if err != nil {
		return nil, err
	}
	more, err := guard()
	return append(rows, more...), err
}

// row makes a row of an object.
func row(mode, kind, situation string, object scopegate.Object, kstatus status.Status, health Health) (Row, error) {
	object.SetGeneration(Generation)
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	if err != nil {
		return Row{}, fmt.Errorf("encoding %s: %w", situation, err)
	}
	made := &unstructured.Unstructured{Object: content}
	made.SetGroupVersionKind(v1beta1.GroupVersion.WithKind(kind))
	return Row{Name: fmt.Sprintf("%s/%s/%s", mode, kind, situation), Object: made, Kstatus: kstatus, Health: health}, nil
}

// pair resolves a consumer against configs.
func pair(object any, configs ...*v1beta1.MCPExternalAuthConfig) (resolve.Pair, error) {
	consumer, _ := resolve.Of(object)
	return resolve.Resolve(consumer, func(name string) (*v1beta1.MCPExternalAuthConfig, error) {
		for _, config := range configs {
			if config.Name == name {
				return config, nil
			}
		}
		return nil, nil
	})
}

// set makes an object say conditions of its generation.
func set(object scopegate.Object, conditions ...*metav1.Condition) {
	var said []metav1.Condition
	for _, condition := range conditions {
		if condition != nil {
			said = append(said, *condition)
		}
	}
	scopegate.Set(object.GetStatus(), Generation, said...)
}
