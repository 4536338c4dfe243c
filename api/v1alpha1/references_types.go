package v1alpha1

// AuthReferences are the references through which a workload gets its
// authentication. They all name objects in the workload's own namespace.
type AuthReferences struct {
	// externalAuthConfigRef names an MCPExternalAuthConfig. If its type is
	// embeddedAuthServer, the workload runs an auth server from it. All other
	// types apply to the requests that the workload sends.
	// +optional
	ExternalAuthConfigRef *ExternalAuthConfigRef `json:"externalAuthConfigRef,omitempty"`

	// authServerRef names the MCPExternalAuthConfig of type embeddedAuthServer
	// from which the workload runs its auth server. externalAuthConfigRef then
	// stays free for outgoing requests. The two references must not both name
	// embedded auth servers.
	// +optional
	AuthServerRef *AuthServerRef `json:"authServerRef,omitempty"`

	// oidcConfigRef names the MCPOIDCConfig that validates incoming tokens. A
	// workload with an embedded auth server needs it: its scopes are the
	// effective scopes of that auth server, unless the config has
	// scopesSupported.
	// +optional
	OIDCConfigRef *MCPOIDCConfigReference `json:"oidcConfigRef,omitempty"`
}

// ExternalAuthConfigRef names an MCPExternalAuthConfig.
type ExternalAuthConfigRef struct {
	// name is the name of an MCPExternalAuthConfig in the same namespace.
	// +required
	Name string `json:"name"`
}

// AuthServerRef names the config of an embedded auth server.
type AuthServerRef struct {
	// kind is the kind of the object; MCPExternalAuthConfig is the only one.
	// +kubebuilder:validation:Enum=MCPExternalAuthConfig
	// +kubebuilder:default=MCPExternalAuthConfig
	// +required
	Kind string `json:"kind"`

	// name is the name of an MCPExternalAuthConfig of type embeddedAuthServer in
	// the same namespace.
	// +kubebuilder:validation:MinLength=1
	// +required
	Name string `json:"name"`
}

// MCPOIDCConfigReference names an MCPOIDCConfig and adds the values that apply to
// one workload only.
type MCPOIDCConfigReference struct {
	// name is the name of an MCPOIDCConfig in the same namespace.
	// +kubebuilder:validation:MinLength=1
	// +required
	Name string `json:"name"`

	// audience is the audience that incoming tokens must have. With an embedded
	// auth server it must equal the resource URL, because the auth server issues
	// its tokens for that audience.
	// +kubebuilder:validation:MinLength=1
	// +required
	Audience string `json:"audience"`

	// scopes are the scopes that the workload advertises (RFC 9728). With an
	// embedded auth server they are its effective scopes, unless the config has
	// scopesSupported. Every entry of the config's baselineClientScopes must
	// match one of them exactly. If empty, the auth server's defaults apply:
	// openid, profile, email and offline_access. Example: [openid,
	// offline_access].
	// +kubebuilder:validation:MaxItems=1000
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=256
	// +kubebuilder:validation:items:Pattern=`^[\x21\x23-\x5B\x5D-\x7E]+$`
	// +listType=atomic
	// +optional
	Scopes []string `json:"scopes,omitempty"`

	// resourceUrl is the public URL of the workload (RFC 9728). If empty, it is
	// http://NAME.NAMESPACE.svc.cluster.local:PORT.
	// +optional
	ResourceURL string `json:"resourceUrl,omitempty"`
}

// SecretKeyRef names a key of a Secret. scopegate never reads the Secret: it
// names the Secret in the pod, and the kubelet resolves it.
type SecretKeyRef struct {
	// name is the name of a Secret in the same namespace.
	// +required
	Name string `json:"name"`

	// key is a key of the Secret's data.
	// +required
	Key string `json:"key"`
}

// The rule that a CABundleSource names a ConfigMap is on the types that contain
// one. Here, where the smallest object is {}, it would use 63 % of the cost that
// the API server allows for a rule in an unbounded list.

// CABundleSource locates a bundle of CA certificates.
type CABundleSource struct {
	// configMapRef names the ConfigMap, and its key, with the bundle in PEM
	// format.
	// +optional
	ConfigMapRef *ConfigMapKeyRef `json:"configMapRef,omitempty"`
}

// ConfigMapKeyRef names a key of a ConfigMap.
//
// +structType=atomic
type ConfigMapKeyRef struct {
	// name is the name of a ConfigMap in the same namespace.
	// +kubebuilder:default=""
	// +optional
	Name string `json:"name,omitempty"`

	// key is a key of the ConfigMap's data.
	// +required
	Key string `json:"key"`

	// optional allows the ConfigMap or its key to be missing.
	// +optional
	Optional *bool `json:"optional,omitempty"`
}
