package v1alpha1

// AuthReferences are the references through which a workload gets its
// authentication. All name objects of the workload's own namespace.
type AuthReferences struct {
	// externalAuthConfigRef names an MCPExternalAuthConfig. If that is of type
	// embeddedAuthServer, the workload runs an auth server from it; every other
	// type is for the calls that the workload makes itself.
	// +optional
	ExternalAuthConfigRef *ExternalAuthConfigRef `json:"externalAuthConfigRef,omitempty"`

	// authServerRef names the MCPExternalAuthConfig of type embeddedAuthServer
	// from which the workload runs its auth server. It leaves
	// externalAuthConfigRef free for outgoing calls; the two must not both name
	// embedded auth servers.
	// +optional
	AuthServerRef *AuthServerRef `json:"authServerRef,omitempty"`

	// oidcConfigRef names the MCPOIDCConfig against which incoming tokens are
	// validated. A workload with an embedded auth server needs it: its scopes are
	// the effective scopes of that auth server, unless the config has
	// scopesSupported.
	// +optional
	OIDCConfigRef *MCPOIDCConfigReference `json:"oidcConfigRef,omitempty"`
}

// ExternalAuthConfigRef names an MCPExternalAuthConfig.
type ExternalAuthConfigRef struct {
	// name of an MCPExternalAuthConfig in the same namespace.
	// +required
	Name string `json:"name"`
}

// AuthServerRef names the source of an embedded auth server.
type AuthServerRef struct {
	// kind of the object; MCPExternalAuthConfig is the only one.
	// +kubebuilder:validation:Enum=MCPExternalAuthConfig
	// +kubebuilder:default=MCPExternalAuthConfig
	// +required
	Kind string `json:"kind"`

	// name of an MCPExternalAuthConfig of type embeddedAuthServer in the same
	// namespace.
	// +kubebuilder:validation:MinLength=1
	// +required
	Name string `json:"name"`
}

// MCPOIDCConfigReference names an MCPOIDCConfig and adds what belongs to one
// workload alone.
type MCPOIDCConfigReference struct {
	// name of an MCPOIDCConfig in the same namespace.
	// +kubebuilder:validation:MinLength=1
	// +required
	Name string `json:"name"`

	// audience that incoming tokens must carry. With an embedded auth server it
	// must equal the resource URL, for that is the audience of the tokens which
	// the auth server issues.
	// +kubebuilder:validation:MinLength=1
	// +required
	Audience string `json:"audience"`

	// scopes that the workload advertises (RFC 9728). With an embedded auth
	// server they are its effective scopes, unless the config has
	// scopesSupported: every entry of the config's baselineClientScopes must be
	// one of them, to the letter. If empty, the auth server's defaults apply:
	// openid, profile, email and offline_access. Example: [openid, offline_access].
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
// names it in the pod, and the kubelet resolves it.
type SecretKeyRef struct {
	// name of a Secret in the same namespace.
	// +required
	Name string `json:"name"`

	// key of the Secret's data.
	// +required
	Key string `json:"key"`
}

// The rule that a CABundleSource names a ConfigMap stands on the types that have
// one. Here, where the smallest object is {}, it would cost 63 % of what the API
// server allows a rule in a list without a bound.

// CABundleSource tells where a bundle of CA certificates is.
type CABundleSource struct {
	// configMapRef names the ConfigMap, and its key, that holds the bundle as PEM.
	// +optional
	ConfigMapRef *ConfigMapKeyRef `json:"configMapRef,omitempty"`
}

// ConfigMapKeyRef names a key of a ConfigMap.
//
// +structType=atomic
type ConfigMapKeyRef struct {
	// name of a ConfigMap in the same namespace.
	// +kubebuilder:default=""
	// +optional
	Name string `json:"name,omitempty"`

	// key of the ConfigMap's data.
	// +required
	Key string `json:"key"`

	// optional reports whether the ConfigMap or its key may be missing.
	// +optional
	Optional *bool `json:"optional,omitempty"`
}
