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

	// AddToScheme registers the kinds of this version.
	AddToScheme = schemeBuilder.AddToScheme
)

func addKnownTypes(scheme *runtime.Scheme) error {
	scheme.AddKnownTypes(GroupVersion,
		&MCPExternalAuthConfig{}, &MCPExternalAuthConfigList{},
		&MCPOIDCConfig{}, &MCPOIDCConfigList{},
		&MCPRemoteProxy{}, &MCPRemoteProxyList{},
		&MCPServer{}, &MCPServerList{},
		&VirtualMCPServer{}, &VirtualMCPServerList{},
	)
	metav1.AddToGroupVersion(scheme, GroupVersion)
	return nil
}
