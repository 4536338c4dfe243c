package resolve

import (
	"fmt"

	"github.com/scopegate/scopegate/api/v1alpha1"
	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/internal/toolhive"
)

// The kinds of consumers, and the kind of a shared config.
const (
	KindMCPExternalAuthConfig = "MCPExternalAuthConfig"
	KindMCPServer             = "MCPServer"
	KindMCPRemoteProxy        = "MCPRemoteProxy"
	KindVirtualMCPServer      = "VirtualMCPServer"
)

// defaultProxyPort is the port in the default resource URL of an MCPServer or an
// MCPRemoteProxy without a port.
const defaultProxyPort = 8080

// virtualMCPServerPort is the port in the default resource URL of every
// VirtualMCPServer (ToolHive: virtualmcpserver_types.go, GetProxyPort).
const virtualMCPServerPort = 4483

// Consumer is what a verdict reads from a workload of any kind.
type Consumer struct {
	Kind, Namespace, Name string
	// AuthServerRef and ExternalAuthConfigRef are the names in the references of
	// an MCPServer or an MCPRemoteProxy, empty without a reference.
	AuthServerRef, ExternalAuthConfigRef string
	// Inline is the config of a VirtualMCPServer, or nil.
	Inline *v1alpha1.EmbeddedAuthServerConfig
	// UpstreamFilter is true if a VirtualMCPServer sets authServerUpstreamFilter.
	UpstreamFilter bool
	// OIDC is the reference to an MCPOIDCConfig. It is nil without a reference,
	// or if the VirtualMCPServer is anonymous.
	OIDC *v1alpha1.MCPOIDCConfigReference
	// Port is the port in the default resource URL.
	Port int32
	// Defaults are the scopes that the auth server supports if none are
	// configured. ConsumerOf sets toolhive.DefaultScopes.
	Defaults []string
}

// ConsumerOf returns object as a consumer, and false if its kind runs no auth
// server.
func ConsumerOf(object any) (Consumer, bool) {
	switch object := object.(type) {
	case *v1beta1.MCPServer:
		return ofMCPServer(object), true
	case *v1beta1.MCPRemoteProxy:
		return ofMCPRemoteProxy(object), true
	case *v1beta1.VirtualMCPServer:
		return ofVirtualMCPServer(object), true
	default:
		return Consumer{}, false
	}
}

func ofMCPServer(server *v1beta1.MCPServer) Consumer {
	return byReference(KindMCPServer, server.Namespace, server.Name, server.Spec.AuthReferences, server.Spec.ProxyPort)
}

func ofMCPRemoteProxy(proxy *v1beta1.MCPRemoteProxy) Consumer {
	return byReference(KindMCPRemoteProxy, proxy.Namespace, proxy.Name, proxy.Spec.AuthReferences, proxy.Spec.ProxyPort)
}

func ofVirtualMCPServer(server *v1beta1.VirtualMCPServer) Consumer {
	consumer := Consumer{
		Kind: KindVirtualMCPServer, Namespace: server.Namespace, Name: server.Name,
		Inline: server.Spec.AuthServerConfig, Port: virtualMCPServerPort, Defaults: toolhive.DefaultScopes,
		UpstreamFilter: !server.Spec.AuthServerUpstreamFilter.IsEmpty(),
	}
	if server.Spec.IncomingAuth.Type == v1alpha1.IncomingAuthTypeOIDC {
		consumer.OIDC = server.Spec.IncomingAuth.OIDCConfigRef
	}
	return consumer
}

func byReference(kind, namespace, name string, refs v1alpha1.AuthReferences, port int32) Consumer {
	consumer := Consumer{Kind: kind, Namespace: namespace, Name: name, OIDC: refs.OIDCConfigRef, Port: port, Defaults: toolhive.DefaultScopes}
	if consumer.Port == 0 {
		consumer.Port = defaultProxyPort
	}
	if refs.AuthServerRef != nil {
		consumer.AuthServerRef = refs.AuthServerRef.Name
	}
	if refs.ExternalAuthConfigRef != nil {
		consumer.ExternalAuthConfigRef = refs.ExternalAuthConfigRef.Name
	}
	return consumer
}

// String returns the consumer as messages name it: MCPServer "web".
func (c Consumer) String() string { return fmt.Sprintf("%s %q", c.Kind, c.Name) }

// References reports whether the consumer's own spec has a config or a reference
// to one, whether or not the config exists.
func (c Consumer) References() bool {
	return c.Inline != nil || c.AuthServerRef != "" || c.ExternalAuthConfigRef != ""
}

// ConfigNames returns the names of the MCPExternalAuthConfigs that the consumer
// references, each once.
func (c Consumer) ConfigNames() []string {
	var names []string
	if c.AuthServerRef != "" {
		names = append(names, c.AuthServerRef)
	}
	if c.ExternalAuthConfigRef != "" && c.ExternalAuthConfigRef != c.AuthServerRef {
		names = append(names, c.ExternalAuthConfigRef)
	}
	return names
}

// OIDCConfigName returns the name of the MCPOIDCConfig that the consumer
// references, or "".
func (c Consumer) OIDCConfigName() string {
	if c.OIDC == nil {
		return ""
	}
	return c.OIDC.Name
}

// OIDCField returns the path of the consumer's reference to an MCPOIDCConfig.
func (c Consumer) OIDCField() string {
	if c.Kind == KindVirtualMCPServer {
		return "spec.incomingAuth.oidcConfigRef"
	}
	return "spec.oidcConfigRef"
}

// ResourceURL returns the URL by which clients know the consumer (RFC 9728). It
// is the audience of the tokens that its auth server issues.
func (c Consumer) ResourceURL() string {
	if c.OIDC != nil && c.OIDC.ResourceURL != "" {
		return c.OIDC.ResourceURL
	}
	return fmt.Sprintf("http://%s.%s.svc.cluster.local:%d", c.Name, c.Namespace, c.Port)
}
