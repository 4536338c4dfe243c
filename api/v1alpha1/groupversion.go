package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

var (
	// GroupVersion is the API group and the deprecated version v1alpha1.
	GroupVersion = schema.GroupVersion{Group: "toolhive.stacklok.dev", Version: "v1alpha1"}

	schemeBuilder = runtime.NewSchemeBuilder(addKnownTypes)

	// AddToScheme registers the kinds of this version, without lists: clients use v1beta1.
	AddToScheme = schemeBuilder.AddToScheme
)

func addKnownTypes(scheme *runtime.Scheme) error {
	scheme.AddKnownTypes(GroupVersion,
		&MCPExternalAuthConfig{}, &MCPOIDCConfig{}, &MCPRemoteProxy{}, &MCPServer{}, &VirtualMCPServer{},
	)
	metav1.AddToGroupVersion(scheme, GroupVersion)
	return nil
}
