// Package sample builds valid objects and pairs for tests. It starts nothing.
package sample

import (
	"fmt"
	"reflect"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/scopegate/scopegate/api/v1alpha1"
	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/internal/resolve"
)

// The builders return complete, valid objects with an empty baseline, so that a
// test sets only what it is about.

// AuthServer returns a config that standalone mode can render.
func AuthServer(baseline ...string) *v1alpha1.EmbeddedAuthServerConfig {
	return &v1alpha1.EmbeddedAuthServerConfig{
		Issuer:               "https://auth.example.com",
		BaselineClientScopes: baseline,
		UpstreamProviders: []v1alpha1.UpstreamProviderConfig{{
			Name: "idp", Type: v1alpha1.UpstreamProviderTypeOIDC,
			OIDCConfig: &v1alpha1.OIDCUpstreamConfig{IssuerURL: "https://idp.example.com", ClientID: "scopegate"},
		}},
	}
}

// Config returns an MCPExternalAuthConfig of type embeddedAuthServer.
func Config(namespace, name string, baseline ...string) *v1beta1.MCPExternalAuthConfig {
	return &v1beta1.MCPExternalAuthConfig{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: v1alpha1.MCPExternalAuthConfigSpec{
			Type: v1alpha1.ExternalAuthTypeEmbeddedAuthServer, EmbeddedAuthServer: AuthServer(baseline...),
		},
	}
}

// OutgoingConfig returns an MCPExternalAuthConfig of another type.
func OutgoingConfig(namespace, name string) *v1beta1.MCPExternalAuthConfig {
	return &v1beta1.MCPExternalAuthConfig{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec:       v1alpha1.MCPExternalAuthConfigSpec{Type: "unauthenticated"},
	}
}

// OIDCConfig returns an MCPOIDCConfig.
func OIDCConfig(namespace, name string) *v1beta1.MCPOIDCConfig {
	return &v1beta1.MCPOIDCConfig{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: v1alpha1.MCPOIDCConfigSpec{
			Type: "inline", Inline: &v1alpha1.OpaqueObject{Raw: []byte(`{"issuer":"https://auth.example.com"}`)},
		},
	}
}

// OIDCConfigRef returns a reference to the MCPOIDCConfig "oidc" whose audience
// is the resource URL.
func OIDCConfigRef(scopes ...string) *v1alpha1.MCPOIDCConfigReference {
	return &v1alpha1.MCPOIDCConfigReference{
		Name: "oidc", Audience: "https://mcp.example.com", ResourceURL: "https://mcp.example.com", Scopes: scopes,
	}
}

// AuthServerRef returns the references of a workload that runs an auth server
// from an MCPExternalAuthConfig.
func AuthServerRef(config string, scopes ...string) v1alpha1.AuthReferences {
	return v1alpha1.AuthReferences{
		AuthServerRef: &v1alpha1.AuthServerRef{Kind: "MCPExternalAuthConfig", Name: config},
		OIDCConfigRef: OIDCConfigRef(scopes...),
	}
}

// ExternalAuthConfigRef is like AuthServerRef, but uses externalAuthConfigRef.
func ExternalAuthConfigRef(config string, scopes ...string) v1alpha1.AuthReferences {
	return v1alpha1.AuthReferences{
		ExternalAuthConfigRef: &v1alpha1.ExternalAuthConfigRef{Name: config},
		OIDCConfigRef:         OIDCConfigRef(scopes...),
	}
}

// Server returns an MCPServer.
func Server(namespace, name string, refs v1alpha1.AuthReferences) *v1beta1.MCPServer {
	return &v1beta1.MCPServer{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec:       v1alpha1.MCPServerSpec{Image: "example.com/mcp:1", AuthReferences: refs},
	}
}

// Proxy returns an MCPRemoteProxy.
func Proxy(namespace, name string, refs v1alpha1.AuthReferences) *v1beta1.MCPRemoteProxy {
	return &v1beta1.MCPRemoteProxy{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec:       v1alpha1.MCPRemoteProxySpec{RemoteURL: "https://remote.example.com", AuthReferences: refs},
	}
}

// Virtual returns a VirtualMCPServer of type oidc. Without scopes, the API server
// accepts any baseline.
func Virtual(namespace, name string, config *v1alpha1.EmbeddedAuthServerConfig, scopes ...string) *v1beta1.VirtualMCPServer {
	return &v1beta1.VirtualMCPServer{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: v1alpha1.VirtualMCPServerSpec{
			GroupRef:         v1alpha1.OpaqueObject{Raw: []byte(`{"name":"group"}`)},
			IncomingAuth:     v1alpha1.IncomingAuthConfig{Type: v1alpha1.IncomingAuthTypeOIDC, OIDCConfigRef: OIDCConfigRef(scopes...)},
			AuthServerConfig: config,
		},
	}
}

// Deployment returns a Deployment without an owner. The labels are for it and
// its pods.
func Deployment(namespace, name string, labels map[string]string) *appsv1.Deployment {
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: labels},
		Spec: appsv1.DeploymentSpec{
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "example.com/main:1"}}},
			},
		},
	}
}

// Unstructured returns an object of the API as a user writes it: with its kind, which is
// that of the Go type, and without a status.
func Unstructured(object any) *unstructured.Unstructured {
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	if err != nil {
		panic(err) // It is no pointer to a struct.
	}
	delete(content, "status")
	unstructured.RemoveNestedField(content, "metadata", "creationTimestamp")
	written := &unstructured.Unstructured{Object: content}
	written.SetGroupVersionKind(v1beta1.GroupVersion.WithKind(reflect.TypeOf(object).Elem().Name()))
	return written
}

// Many returns n numbered names.
func Many(prefix string, n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("%s-%04d", prefix, i)
	}
	return names
}

// Pair resolves a consumer against configs, of which some may be nil.
func Pair(object any, configs ...*v1beta1.MCPExternalAuthConfig) resolve.Pair {
	consumer, _ := resolve.ConsumerOf(object)
	pair, err := resolve.Resolve(consumer, func(name string) (*v1beta1.MCPExternalAuthConfig, error) {
		for _, config := range configs {
			if config != nil && config.Name == name {
				return config, nil
			}
		}
		return nil, nil
	})
	if err != nil {
		panic(err) // This lookup does not fail.
	}
	return pair
}
