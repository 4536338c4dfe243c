package operator

import (
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/api/v1alpha1"
	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/internal/guard/writer"
	"github.com/scopegate/scopegate/internal/kinds"
	"github.com/scopegate/scopegate/internal/resolve"
	"github.com/scopegate/scopegate/internal/scopes"
)

// ToolHive's CRDs bound few fields, and one tenant must not use up the memory of the
// manager. So the guard's cache keeps of an object only what the guard reads, and at most
// these numbers of bytes of a text, and of conditions.
const (
	maxTextBytes  = 2048
	maxConditions = 100
)

// guardCache does the same as standaloneCache for guard mode. It also bounds what it keeps.
func guardCache() cache.Options {
	return cache.Options{
		ByObject: map[client.Object]cache.ByObject{
			&v1beta1.MCPExternalAuthConfig{}: {Transform: strip(bound(boundConfig))},
			&v1beta1.MCPServer{}:             {Transform: strip(bound(boundServer))},
			&v1beta1.MCPRemoteProxy{}:        {Transform: strip(bound(boundProxy))},
			&v1beta1.VirtualMCPServer{}:      {Transform: strip(bound(boundVirtual))},
		},
	}
}

// bound does what all kinds need, and then more for one kind.
func bound[T kinds.Object](more func(T)) func(T) {
	return func(object T) {
		object.SetLabels(nil)
		object.SetFinalizers(nil)
		object.SetOwnerReferences(nil)
		status := object.GetStatus()
		own := meta.FindStatusCondition(status.Conditions, writer.Type)
		// A part of the list would keep all of it in memory.
		status.Conditions = slices.Clone(status.Conditions[:min(len(status.Conditions), maxConditions)])
		if own != nil && meta.FindStatusCondition(status.Conditions, writer.Type) == nil {
			status.Conditions = append(status.Conditions, *own)
		}
		for i, condition := range status.Conditions {
			if condition.Type != writer.Type {
				status.Conditions[i] = metav1.Condition{Type: cut(condition.Type)}
				continue
			}
			status.Conditions[i].Reason, status.Conditions[i].Message = cut(condition.Reason), cut(condition.Message)
		}
		more(object)
	}
}

func boundConfig(config *v1beta1.MCPExternalAuthConfig) {
	config.Spec = v1alpha1.MCPExternalAuthConfigSpec{Type: config.Spec.Type, EmbeddedAuthServer: boundAuthServer(config.Spec.EmbeddedAuthServer)}
}

func boundServer(server *v1beta1.MCPServer) {
	server.Spec = v1alpha1.MCPServerSpec{AuthReferences: boundReferences(server.Spec.AuthReferences)}
}

func boundProxy(proxy *v1beta1.MCPRemoteProxy) {
	proxy.Spec = v1alpha1.MCPRemoteProxySpec{AuthReferences: boundReferences(proxy.Spec.AuthReferences)}
}

func boundVirtual(server *v1beta1.VirtualMCPServer) {
	incoming := server.Spec.IncomingAuth
	server.Spec = v1alpha1.VirtualMCPServerSpec{
		IncomingAuth:     v1alpha1.IncomingAuthConfig{Type: incoming.Type, OIDCConfigRef: boundOIDC(incoming.OIDCConfigRef)},
		AuthServerConfig: boundAuthServer(server.Spec.AuthServerConfig),
	}
}

func boundReferences(refs v1alpha1.AuthReferences) v1alpha1.AuthReferences {
	if refs.AuthServerRef != nil {
		refs.AuthServerRef.Name = cut(refs.AuthServerRef.Name)
	}
	if refs.ExternalAuthConfigRef != nil {
		refs.ExternalAuthConfigRef.Name = cut(refs.ExternalAuthConfigRef.Name)
	}
	refs.OIDCConfigRef = boundOIDC(refs.OIDCConfigRef)
	return refs
}

func boundOIDC(ref *v1alpha1.MCPOIDCConfigReference) *v1alpha1.MCPOIDCConfigReference {
	if ref == nil {
		return nil
	}
	return &v1alpha1.MCPOIDCConfigReference{Scopes: scopes.Bound(ref.Scopes)}
}

// boundAuthServer keeps the lists, and the providers from which scopes of the baseline are
// requested, until each of these scopes has a provider: a message names the first.
func boundAuthServer(config *v1alpha1.EmbeddedAuthServerConfig) *v1alpha1.EmbeddedAuthServerConfig {
	if config == nil {
		return nil
	}
	kept := &v1alpha1.EmbeddedAuthServerConfig{
		BaselineClientScopes: scopes.Bound(config.BaselineClientScopes), ScopesSupported: scopes.Bound(config.ScopesSupported),
	}
	var found []string
	for i := range config.UpstreamProviders {
		alone := &v1alpha1.EmbeddedAuthServerConfig{UpstreamProviders: config.UpstreamProviders[i : i+1]}
		name, requested := resolve.RequestedUpstream(alone, kept.BaselineClientScopes)
		if scopes.Missing(requested, found) == nil {
			continue
		}
		found = append(found, requested...)
		kept.UpstreamProviders = append(kept.UpstreamProviders, v1alpha1.UpstreamProviderConfig{
			Name: cut(name), OIDCConfig: &v1alpha1.OIDCUpstreamConfig{Scopes: requested},
		})
	}
	return kept
}

// cut returns a text, or a copy of its first bytes.
func cut(text string) string {
	if len(text) <= maxTextBytes {
		return text
	}
	return strings.Clone(text[:maxTextBytes])
}
