package operator

import (
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/api/v1alpha1"
	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/internal/rollout"
)

// opaqueMarker replaces the content of an opaque field in the cache: decisions
// read whether the field is set, but not its content.
var opaqueMarker = []byte(`{"opaque":true}`)

// standaloneCache keeps only what decisions read of each object. Never write back
// a whole object from this cache: the operator patches statuses and has no
// permission to update a spec.
func standaloneCache() cache.Options {
	return cache.Options{
		ByObject: map[client.Object]cache.ByObject{
			&v1beta1.MCPExternalAuthConfig{}: {Transform: strip(stripConfig)},
			&v1beta1.MCPServer{}:             {Transform: strip(stripServer)},
			&v1beta1.MCPRemoteProxy{}:        {Transform: strip(stripProxy)},
			&v1beta1.VirtualMCPServer{}:      {Transform: strip(stripVirtual)},
			&v1beta1.MCPOIDCConfig{}:         {Transform: strip(stripOIDCConfig)},
			&appsv1.Deployment{}:             {Transform: strip(stripDeployment)},
			&corev1.Service{}:                {Transform: strip(stripService)},
		},
	}
}

// strip removes what no decision reads, for all kinds and then with more for one
// kind.
func strip[T client.Object](more func(T)) func(any) (any, error) {
	return func(raw any) (any, error) {
		if object, err := meta.Accessor(raw); err == nil {
			object.SetManagedFields(nil)
			object.SetAnnotations(nil)
		}
		if object, ok := raw.(T); ok {
			more(object)
		}
		return raw, nil
	}
}

func stripConfig(config *v1beta1.MCPExternalAuthConfig) {
	config.Labels = nil
	config.Spec = v1alpha1.MCPExternalAuthConfigSpec{Type: config.Spec.Type, EmbeddedAuthServer: config.Spec.EmbeddedAuthServer}
	stripAuthServer(config.Spec.EmbeddedAuthServer)
}

func stripServer(server *v1beta1.MCPServer) {
	server.Labels = nil
	server.Spec = v1alpha1.MCPServerSpec{AuthReferences: server.Spec.AuthReferences, ProxyPort: server.Spec.ProxyPort}
}

func stripProxy(proxy *v1beta1.MCPRemoteProxy) {
	proxy.Labels = nil
	proxy.Spec = v1alpha1.MCPRemoteProxySpec{AuthReferences: proxy.Spec.AuthReferences, ProxyPort: proxy.Spec.ProxyPort}
}

func stripVirtual(server *v1beta1.VirtualMCPServer) {
	server.Labels = nil
	incoming := server.Spec.IncomingAuth
	server.Spec = v1alpha1.VirtualMCPServerSpec{
		IncomingAuth:     v1alpha1.IncomingAuthConfig{Type: incoming.Type, OIDCConfigRef: incoming.OIDCConfigRef},
		AuthServerConfig: server.Spec.AuthServerConfig, AuthServerUpstreamFilter: server.Spec.AuthServerUpstreamFilter,
	}
	mark(server.Spec.AuthServerUpstreamFilter)
	stripAuthServer(server.Spec.AuthServerConfig)
}

func stripOIDCConfig(config *v1beta1.MCPOIDCConfig) {
	config.Labels = nil
	config.Spec = v1alpha1.MCPOIDCConfigSpec{}
	config.Status = v1alpha1.Status{}
}

func stripAuthServer(config *v1alpha1.EmbeddedAuthServerConfig) {
	if config == nil {
		return
	}
	mark(config.InboundGrants)
	mark(config.RegistrationRateLimit)
	mark(config.TLSListener)
	for _, list := range [][]v1alpha1.OpaqueObject{config.SPIFFETrustDomains, config.DelegateClients, config.TrustedIssuers} {
		for i := range list {
			mark(&list[i])
		}
	}
	for i := range config.UpstreamProviders {
		if oauth2 := config.UpstreamProviders[i].OAuth2Config; oauth2 != nil {
			mark(oauth2.DCRConfig)
		}
		if oidc := config.UpstreamProviders[i].OIDCConfig; oidc != nil {
			mark(oidc.DCRConfig)
		}
	}
}

func mark(object *v1alpha1.OpaqueObject) {
	if !object.IsEmpty() {
		object.Raw = opaqueMarker
	}
}

// stripDeployment keeps only the name and the owner of Deployments that scopegate
// does not manage.
func stripDeployment(deployment *appsv1.Deployment) {
	if deployment.Labels[rollout.LabelManagedBy] != rollout.ManagedBy {
		deployment.Labels, deployment.Spec, deployment.Status = nil, appsv1.DeploymentSpec{}, appsv1.DeploymentStatus{}
	}
}

// stripService keeps only the name and the owner of Services that scopegate does not
// manage.
func stripService(service *corev1.Service) {
	if service.Labels[rollout.LabelManagedBy] != rollout.ManagedBy {
		service.Labels, service.Spec, service.Status = nil, corev1.ServiceSpec{}, corev1.ServiceStatus{}
	}
}
