package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// IncomingAuthType selects how a VirtualMCPServer authenticates its clients.
type IncomingAuthType string

// The types of incoming authentication.
const (
	// IncomingAuthTypeAnonymous accepts every client.
	IncomingAuthTypeAnonymous IncomingAuthType = "anonymous"
	// IncomingAuthTypeOIDC validates tokens against an MCPOIDCConfig.
	IncomingAuthTypeOIDC IncomingAuthType = "oidc"
)

// If incomingAuth.type is oidc and the config has no scopesSupported, then
// incomingAuth.oidcConfigRef.scopes contains every scope of the baseline. An
// empty list means the auth server's defaults, which only the manager knows.
//
// The last operand ratchets by what the rule reads, and not by the whole spec: an
// object that was stored before the rule stays editable beside its lists.
// +kubebuilder:validation:XValidation:rule=`self.incomingAuth.type != 'oidc' || !self.?authServerConfig.?baselineClientScopes.hasValue() || self.authServerConfig.?scopesSupported[?0].hasValue() || !self.incomingAuth.?oidcConfigRef.?scopes[?0].hasValue() || sets.contains(self.incomingAuth.oidcConfigRef.scopes, self.authServerConfig.baselineClientScopes) || (oldSelf.?incomingAuth.?type.orValue('') == 'oidc' && !oldSelf.?authServerConfig.?scopesSupported[?0].hasValue() && oldSelf.?authServerConfig.?baselineClientScopes.orValue([]) == self.authServerConfig.baselineClientScopes && oldSelf.?incomingAuth.?oidcConfigRef.?scopes.orValue([]) == self.incomingAuth.oidcConfigRef.scopes)`,message=`every scope of authServerConfig.baselineClientScopes must be in incomingAuth.oidcConfigRef.scopes: add it there, or remove it from the baseline`,messageExpression=`'scope "' + self.authServerConfig.baselineClientScopes.filter(s, !(s in self.incomingAuth.oidcConfigRef.scopes))[0] + '" is not in spec.incomingAuth.oidcConfigRef.scopes: add it there, or remove it from baselineClientScopes'`,fieldPath=`.authServerConfig.baselineClientScopes`,optionalOldSelf=true

// VirtualMCPServerSpec is the desired state of a VirtualMCPServer.
type VirtualMCPServerSpec struct {
	// incomingAuth configures how clients are authenticated.
	// +required
	IncomingAuth IncomingAuthConfig `json:"incomingAuth"`

	// outgoingAuth configures the authentication at the MCP servers behind this
	// workload. It does not run an auth server. Only ToolHive reads it.
	// +optional
	OutgoingAuth *OpaqueObject `json:"outgoingAuth,omitempty"`

	// authServerConfig configures the OAuth authorization server that this
	// workload runs.
	// +optional
	AuthServerConfig *EmbeddedAuthServerConfig `json:"authServerConfig,omitempty"`

	// authServerUpstreamFilter selects the upstream providers of a request by the
	// user's identity. Only ToolHive reads it, from v0.56.0 on.
	// +optional
	AuthServerUpstreamFilter *OpaqueObject `json:"authServerUpstreamFilter,omitempty"`

	// groupRef names the group of MCP servers that this workload offers.
	// +required
	GroupRef OpaqueObject `json:"groupRef"`

	// config configures the virtual MCP server. Only ToolHive reads it.
	// +optional
	Config *OpaqueObject `json:"config,omitempty"`

	// embeddingServerRef names the server that computes embeddings of tool
	// descriptions.
	// +optional
	EmbeddingServerRef *OpaqueObject `json:"embeddingServerRef,omitempty"`

	// telemetryConfigRef names the telemetry configuration.
	// +optional
	TelemetryConfigRef *OpaqueObject `json:"telemetryConfigRef,omitempty"`

	// passthroughHeaders are the client headers that are forwarded to the MCP
	// servers.
	// +listType=atomic
	// +optional
	PassthroughHeaders []string `json:"passthroughHeaders,omitempty"`

	// imagePullSecrets are the image pull secrets of the workload's pods.
	// +listType=atomic
	// +optional
	ImagePullSecrets []OpaqueObject `json:"imagePullSecrets,omitempty"`

	// podTemplateSpec is merged into the workload's pod.
	// +optional
	PodTemplateSpec *OpaqueObject `json:"podTemplateSpec,omitempty"`

	// serviceAccount is the service account of the workload.
	// +optional
	ServiceAccount *string `json:"serviceAccount,omitempty"`

	// serviceType is the type of the Service.
	// +kubebuilder:validation:Enum=ClusterIP;NodePort;LoadBalancer
	// +kubebuilder:default=ClusterIP
	// +optional
	ServiceType string `json:"serviceType,omitempty"`

	// sessionAffinity is the session affinity of the Service.
	// +kubebuilder:validation:Enum=ClientIP;None
	// +kubebuilder:default=ClientIP
	// +optional
	SessionAffinity string `json:"sessionAffinity,omitempty"`

	// replicas is the number of replicas of the workload.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Format=int32
	// +optional
	Replicas *int64 `json:"replicas,omitempty"`

	// sessionStorage configures where the workload stores sessions.
	// +optional
	SessionStorage *OpaqueObject `json:"sessionStorage,omitempty"`
}

// The type oidc needs a reference, and there is at most one authorization
// configuration.
// +kubebuilder:validation:XValidation:rule=`self.type != 'oidc' || has(self.oidcConfigRef) || (oldSelf.?type.orValue('') == self.type && !oldSelf.?oidcConfigRef.hasValue())`,message=`oidcConfigRef must be set where type is oidc: name an MCPOIDCConfig, or set type to anonymous`,reason=FieldValueRequired,fieldPath=`.oidcConfigRef`,optionalOldSelf=true
// +kubebuilder:validation:XValidation:rule=`!(has(self.authzConfig) && has(self.authzConfigRef)) || (oldSelf.?authzConfig.hasValue() && oldSelf.?authzConfigRef.hasValue())`,message=`authzConfig must not be set together with authzConfigRef: keep one`,reason=FieldValueForbidden,fieldPath=`.authzConfig`,optionalOldSelf=true

// IncomingAuthConfig configures how a VirtualMCPServer authenticates its clients.
type IncomingAuthConfig struct {
	// type is the type of authentication.
	// +kubebuilder:validation:Enum=anonymous;oidc
	// +required
	Type IncomingAuthType `json:"type"`

	// oidcConfigRef names the MCPOIDCConfig that validates incoming tokens if
	// type is oidc. Its scopes are the effective scopes of the auth server,
	// unless authServerConfig has scopesSupported.
	// +optional
	OIDCConfigRef *MCPOIDCConfigReference `json:"oidcConfigRef,omitempty"`

	// authzConfig is the authorization policy, inline or from a ConfigMap.
	// +optional
	AuthzConfig *OpaqueObject `json:"authzConfig,omitempty"`

	// authzConfigRef names a shared authorization policy.
	// +optional
	AuthzConfigRef *OpaqueObject `json:"authzConfigRef,omitempty"`
}

// +kubebuilder:object:root=true
// +kubebuilder:deprecatedversion:warning="toolhive.stacklok.dev/v1alpha1 is deprecated; use v1beta1"
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=vmcp;virtualmcp,categories=toolhive
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Auth",type=string,JSONPath=`.spec.incomingAuth.type`
// +kubebuilder:printcolumn:name="BaselineScopesValid",type=string,JSONPath=`.status.conditions[?(@.type=="BaselineScopesValid")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="BaselineScopesValid")].reason`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="BaselineScopesValid")].message`

// VirtualMCPServer offers the tools of several MCP servers as one. It runs an
// embedded auth server if it has authServerConfig.
type VirtualMCPServer struct {
	metav1.TypeMeta `json:",inline"`
	// metadata names the object.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is the virtual MCP server to run.
	// +optional
	Spec VirtualMCPServerSpec `json:"spec,omitempty"`
	// status is the verdict on the baseline of the auth server, and the state of
	// its rollout.
	// +kubebuilder:default={"observedGeneration":-1}
	// +optional
	Status Status `json:"status,omitempty"`
}
