package setup

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/api/v1alpha1"
	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/internal/testing/sample"
	"github.com/scopegate/scopegate/internal/toolhive"
)

// There are only a few words, so that names coincide and lists overlap.
var (
	configNames   = []string{"a", "b", outgoingName}
	consumerNames = []string{"w", "x"}
	words         = []string{"openid", "profile", "email", "offline_access", "OpenID", "admin", "tools:read"}
)

// outgoingName is the name of the config that is mostly for outgoing calls.
const outgoingName = "c"

// world is the content of a namespace, by kind and name.
type world map[string]client.Object

func key(object client.Object) string { return fmt.Sprintf("%T %s", object, object.GetName()) }

// generator makes random objects of one namespace.
type generator struct {
	*rand.Rand
	namespace string
}

func (g generator) chance(percent int) bool { return g.IntN(100) < percent }

func (g generator) pick(from []string) string { return from[g.IntN(len(from))] }

func (g generator) baseline() []string {
	var list []string
	for range min(g.IntN(6), 4) {
		list = append(list, g.pick(words))
	}
	return list
}

// advertised returns a list that often holds a baseline: most of the words, or
// none.
func (g generator) advertised() []string {
	if g.chance(25) {
		return nil
	}
	list := slices.Clone(words)
	g.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	return list[g.IntN(len(list)):]
}

// config returns a config, mostly of type embeddedAuthServer. One named
// outgoingName is mostly of another type, because consumers often reference it
// beside another config.
func (g generator) config(name string) *v1beta1.MCPExternalAuthConfig {
	if g.chance(8) != (name == outgoingName) {
		return sample.OutgoingConfig(g.namespace, name)
	}
	config := sample.Config(g.namespace, name)
	config.Spec.EmbeddedAuthServer = g.authServer()
	return config
}

// authServer returns a config that sometimes requests scopes from a provider.
func (g generator) authServer() *v1alpha1.EmbeddedAuthServerConfig {
	config := sample.AuthServer(g.baseline()...)
	provider := &config.UpstreamProviders[0]
	switch requested, which := g.advertised(), g.IntN(100); {
	case which < 30:
		provider.OIDCConfig.Scopes = requested
	case which < 50:
		provider.Type, provider.OIDCConfig = v1alpha1.UpstreamProviderTypeOAuth2, nil
		provider.OAuth2Config = &v1alpha1.OAuth2UpstreamConfig{
			AuthorizationEndpoint: "https://idp.example.com/authorize", TokenEndpoint: "https://idp.example.com/token",
			ClientID: "scopegate", Scopes: requested,
		}
	}
	if g.chance(20) {
		second := provider.DeepCopy()
		second.Name = "second"
		config.UpstreamProviders = append(config.UpstreamProviders, *second)
	}
	return config
}

func (g generator) oidcConfigRef() *v1alpha1.MCPOIDCConfigReference {
	if g.chance(15) {
		return nil
	}
	return sample.OIDCConfigRef(g.advertised()...)
}

func (g generator) references() v1alpha1.AuthReferences {
	refs := v1alpha1.AuthReferences{OIDCConfigRef: g.oidcConfigRef()}
	which := g.IntN(100)
	if which < 60 {
		refs.AuthServerRef = &v1alpha1.AuthServerRef{Kind: "MCPExternalAuthConfig", Name: g.pick(configNames)}
	}
	if which >= 30 && which < 95 {
		refs.ExternalAuthConfigRef = &v1alpha1.ExternalAuthConfigRef{Name: g.pick(configNames)}
		switch {
		case g.chance(5):
			refs.ExternalAuthConfigRef.Name = ""
		case which < 60 && g.chance(50):
			refs.ExternalAuthConfigRef.Name = outgoingName
		}
	}
	return refs
}

func (g generator) virtual(name string) *v1beta1.VirtualMCPServer {
	virtual := sample.Virtual(g.namespace, name, nil)
	virtual.Spec.IncomingAuth.OIDCConfigRef = sample.OIDCConfigRef(g.advertised()...)
	if g.chance(15) {
		virtual.Spec.IncomingAuth.Type = v1alpha1.IncomingAuthTypeAnonymous
	}
	if g.chance(90) {
		virtual.Spec.AuthServerConfig = g.authServer()
	}
	return virtual
}

func (g generator) object() client.Object {
	switch which := g.IntN(100); {
	case which < 42:
		return g.config(g.pick(configNames))
	case which < 62:
		return sample.Server(g.namespace, g.pick(consumerNames), g.references())
	case which < 82:
		return sample.Proxy(g.namespace, g.pick(consumerNames), g.references())
	default:
		return g.virtual(g.pick(consumerNames))
	}
}

// world returns the content of a namespace. What has a finalizer is to be deleted.
func (g generator) world() world {
	w := world{}
	objects := 8 + g.IntN(8)
	if g.chance(10) {
		// A policy with params must also admit what comes before them.
		objects = g.IntN(3)
	}
	for range objects {
		object := g.object()
		if g.chance(15) {
			object.SetFinalizers([]string{"example.com/hold"})
		}
		w[key(object)] = object
	}
	return w
}

// edit returns a random object, or one of the world with an edit.
func (g generator) edit(w world) client.Object {
	after := g.object()
	stored, exists := w[key(after)]
	if exists && g.chance(60) {
		return g.touched(stored)
	}
	if exists {
		after.SetDeletionTimestamp(stored.GetDeletionTimestamp())
	}
	return after
}

// touched returns a copy of an object with an edit of at most one of the inputs of the
// verdict.
func (g generator) touched(object client.Object) client.Object {
	object = object.DeepCopyObject().(client.Object)
	switch object := object.(type) {
	case *v1beta1.MCPExternalAuthConfig:
		if config := object.Spec.EmbeddedAuthServer; config != nil && g.chance(80) {
			g.shuffle(&config.BaselineClientScopes)
		}
	case *v1beta1.MCPServer:
		g.touchReferences(&object.Spec.AuthReferences)
	case *v1beta1.MCPRemoteProxy:
		g.touchReferences(&object.Spec.AuthReferences)
	case *v1beta1.VirtualMCPServer:
		switch change := g.IntN(5); {
		case change == 0:
			g.shuffle(&object.Spec.IncomingAuth.OIDCConfigRef.Scopes)
		case change == 1 && object.Spec.AuthServerConfig != nil:
			g.shuffle(&object.Spec.AuthServerConfig.BaselineClientScopes)
		case change == 2:
			object.Spec.IncomingAuth.Type = v1alpha1.IncomingAuthTypeOIDC
		}
	}
	return object
}

func (g generator) touchReferences(refs *v1alpha1.AuthReferences) {
	fresh := g.references()
	switch change := g.IntN(7); {
	case change == 0:
		refs.OIDCConfigRef = fresh.OIDCConfigRef
	case change == 1 && refs.OIDCConfigRef != nil:
		g.shuffle(&refs.OIDCConfigRef.Scopes)
	case change == 2:
		refs.AuthServerRef = fresh.AuthServerRef
	case change == 3:
		refs.ExternalAuthConfigRef = fresh.ExternalAuthConfigRef
	case change == 4 && (refs.AuthServerRef == nil) != (refs.ExternalAuthConfigRef == nil):
		// The same config by the other reference.
		if refs.AuthServerRef != nil {
			refs.ExternalAuthConfigRef, refs.AuthServerRef = &v1alpha1.ExternalAuthConfigRef{Name: refs.AuthServerRef.Name}, nil
		} else if refs.ExternalAuthConfigRef.Name != "" {
			refs.AuthServerRef, refs.ExternalAuthConfigRef = &v1alpha1.AuthServerRef{Kind: "MCPExternalAuthConfig", Name: refs.ExternalAuthConfigRef.Name}, nil
		}
	}
}

// relabel makes the labels of a pod those of a pod that runs no auth server, like those
// of the MCP server behind a proxy.
func (g generator) relabel(labels map[string]string) {
	switch g.IntN(4) {
	case 0:
		delete(labels, toolhive.OwnedLabel)
	case 1:
		labels[toolhive.NameLabel] = "mcp"
	case 2:
		labels[toolhive.InstanceLabel] += "-0"
	default:
		delete(labels, toolhive.InstanceLabel)
	}
}

// shuffle reorders a list, or adds or removes an entry.
func (g generator) shuffle(list *[]string) {
	*list = slices.Clone(*list)
	switch change := g.IntN(4); {
	case change == 0:
		*list = append(*list, g.pick(words))
	case change <= 2 && len(*list) > 0:
		i := g.IntN(len(*list))
		*list = slices.Delete(*list, i, i+1)
	default:
		slices.Reverse(*list)
	}
}

// sent returns an object as a user may write it, in either version: half of the absent
// lists are empty lists, which mean the same.
func (g generator) sent(object client.Object) (*unstructured.Unstructured, error) {
	sent := sample.Unstructured(object)
	if g.chance(30) {
		sent.SetAPIVersion(v1alpha1.GroupVersion.String())
	}
	for _, path := range [][]string{
		{"spec", "embeddedAuthServer", "baselineClientScopes"}, {"spec", "authServerConfig", "baselineClientScopes"},
		{"spec", "oidcConfigRef", "scopes"}, {"spec", "incomingAuth", "oidcConfigRef", "scopes"},
	} {
		parent, found, _ := unstructured.NestedMap(sent.Object, path[:len(path)-1]...)
		if _, set := parent[path[len(path)-1]]; !found || set || g.chance(50) {
			continue
		}
		if err := unstructured.SetNestedSlice(sent.Object, []any{}, path...); err != nil {
			return nil, err
		}
	}
	return sent, nil
}
