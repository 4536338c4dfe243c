package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// IncomingAuthType is how a VirtualMCPServer authenticates its clients.
type IncomingAuthType string

// How a VirtualMCPServer authenticates its clients.
const (
	// IncomingAuthTypeAnonymous lets every client in.
	IncomingAuthTypeAnonymous IncomingAuthType = "anonymous"
	// IncomingAuthTypeOIDC validates tokens against an MCPOIDCConfig.
	IncomingAuthTypeOIDC IncomingAuthType = "oidc"
)

// Where clients bring tokens and the config has no scopesSupported, every scope of the
// baseline is in incomingAuth.oidcConfigRef.scopes, if that is not empty. An empty one
// stands for the auth server's defaults, which are the manager's to know.
//
// The API server does not ratchet a rule that reads oldSelf, so the rule does it: an
// object that was stored before it stays editable until one of the values that it reads
// changes. The message is made as that of EmbeddedAuthServerConfig.
// +kubebuilder:validation:XValidation:rule=`self.incomingAuth.type != 'oidc' || !has(self.authServerConfig) || !has(self.authServerConfig.baselineClientScopes) || (has(self.authServerConfig.scopesSupported) && size(self.authServerConfig.scopesSupported) > 0) || !has(self.incomingAuth.oidcConfigRef) || !has(self.incomingAuth.oidcConfigRef.scopes) || size(self.incomingAuth.oidcConfigRef.scopes) == 0 || sets.contains(self.incomingAuth.oidcConfigRef.scopes, self.authServerConfig.baselineClientScopes) || (oldSelf.hasValue() && oldSelf.value().incomingAuth.type == 'oidc' && has(oldSelf.value().authServerConfig) && has(oldSelf.value().authServerConfig.baselineClientScopes) && !(has(oldSelf.value().authServerConfig.scopesSupported) && size(oldSelf.value().authServerConfig.scopesSupported) > 0) && has(oldSelf.value().incomingAuth.oidcConfigRef) && has(oldSelf.value().incomingAuth.oidcConfigRef.scopes) && oldSelf.value().authServerConfig.baselineClientScopes == self.authServerConfig.baselineClientScopes && oldSelf.value().incomingAuth.oidcConfigRef.scopes == self.incomingAuth.oidcConfigRef.scopes)`,message=`every scope of authServerConfig.baselineClientScopes must be in incomingAuth.oidcConfigRef.scopes: add it there, or remove it from the baseline`,messageExpression=`[self.authServerConfig.baselineClientScopes.filter(s, !(s in self.incomingAuth.oidcConfigRef.scopes))].map(missing, 'scope "' + self.authServerConfig.baselineClientScopes.filter(s, s == missing[0])[0] + '"' + ["", " (and 1 more)", " (and 2 more)", " (and 3 more)", " (and 4 more)", " (and 5 more)", " (and 6 more)", " (and 7 more)", " (and 8 more)", " (and 9 more)"][missing.size() - 1] + ' is not in spec.incomingAuth.oidcConfigRef.scopes: add it there, or remove it from baselineClientScopes')[0]`,reason=FieldValueInvalid,fieldPath=`.authServerConfig.baselineClientScopes`,optionalOldSelf=true

// VirtualMCPServerSpec is the desired state of a VirtualMCPServer.
type VirtualMCPServerSpec struct {
	// incomingAuth is how clients are authenticated.
	// +required
	IncomingAuth IncomingAuthConfig `json:"incomingAuth"`

	// outgoingAuth is how the MCP servers behind are called. It runs no auth
	// server. Read by ToolHive alone.
	// +optional
	OutgoingAuth *OpaqueObject `json:"outgoingAuth,omitempty"`

	// authServerConfig configures the OAuth authorization server that this
	// workload runs.
	// +optional
	AuthServerConfig *EmbeddedAuthServerConfig `json:"authServerConfig,omitempty"`

	// authServerUpstreamFilter chooses the upstream providers of a request by who
	// the user is. Read by ToolHive alone, from v0.56.0 on.
	// +optional
	AuthServerUpstreamFilter *OpaqueObject `json:"authServerUpstreamFilter,omitempty"`

	// groupRef names the group of MCP servers that are offered.
	// +required
	GroupRef OpaqueObject `json:"groupRef"`

	// config of the virtual MCP server. Read by ToolHive alone.
	// +optional
	Config *OpaqueObject `json:"config,omitempty"`

	// embeddingServerRef names the server that embeds tool descriptions.
	// +optional
	EmbeddingServerRef *OpaqueObject `json:"embeddingServerRef,omitempty"`

	// telemetryConfigRef names the telemetry.
	// +optional
	TelemetryConfigRef *OpaqueObject `json:"telemetryConfigRef,omitempty"`

	// passthroughHeaders of clients reach the MCP servers.
	// +listType=atomic
	// +optional
	PassthroughHeaders []string `json:"passthroughHeaders,omitempty"`

	// imagePullSecrets of the workload's pods.
	// +listType=atomic
	// +optional
	ImagePullSecrets []OpaqueObject `json:"imagePullSecrets,omitempty"`

	// podTemplateSpec is merged into the workload's pod.
	// +optional
	PodTemplateSpec *OpaqueObject `json:"podTemplateSpec,omitempty"`

	// serviceAccount of the workload.
	// +optional
	ServiceAccount *string `json:"serviceAccount,omitempty"`

	// serviceType of the Service.
	// +kubebuilder:validation:Enum=ClusterIP;NodePort;LoadBalancer
	// +kubebuilder:default=ClusterIP
	// +optional
	ServiceType string `json:"serviceType,omitempty"`

	// sessionAffinity of the Service.
	// +kubebuilder:validation:Enum=ClientIP;None
	// +kubebuilder:default=ClientIP
	// +optional
	SessionAffinity string `json:"sessionAffinity,omitempty"`

	// replicas of the workload.
	// +kubebuilder:validation:Minimum=0
	// +optional
	Replicas *int32 `json:"replicas,omitempty"`

	// sessionStorage of the workload.
	// +optional
	SessionStorage *OpaqueObject `json:"sessionStorage,omitempty"`
}

// Type oidc needs a reference, and there is one configuration of authorization at most.
// Stored objects stay editable while that does not change.
// +kubebuilder:validation:XValidation:rule=`self.type != 'oidc' || has(self.oidcConfigRef) || (oldSelf.?type.orValue("") == 'oidc' && !oldSelf.?oidcConfigRef.hasValue())`,message=`oidcConfigRef must be set where type is oidc: name an MCPOIDCConfig, or set type to anonymous`,reason=FieldValueRequired,fieldPath=`.oidcConfigRef`,optionalOldSelf=true
// +kubebuilder:validation:XValidation:rule=`!(has(self.authzConfig) && has(self.authzConfigRef)) || (oldSelf.?authzConfig.hasValue() && oldSelf.?authzConfigRef.hasValue())`,message=`authzConfig must not be set together with authzConfigRef: keep one`,reason=FieldValueForbidden,fieldPath=`.authzConfig`,optionalOldSelf=true

// IncomingAuthConfig is how a VirtualMCPServer authenticates its clients.
type IncomingAuthConfig struct {
	// type of the authentication.
	// +kubebuilder:validation:Enum=anonymous;oidc
	// +required
	Type IncomingAuthType `json:"type"`

	// oidcConfigRef names the MCPOIDCConfig against which incoming tokens are
	// validated, where type is oidc. Its scopes are the effective scopes of the
	// auth server, unless authServerConfig has scopesSupported.
	// +optional
	OIDCConfigRef *MCPOIDCConfigReference `json:"oidcConfigRef,omitempty"`

	// authzConfig is the authorization policy, inline or in a ConfigMap.
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
	// status is the verdict on the baseline of its auth server, and its rollout.
	// +kubebuilder:default={"observedGeneration":-1}
	// +optional
	Status Status `json:"status,omitempty"`
}

// +kubebuilder:object:root=true

// VirtualMCPServerList is a list of VirtualMCPServers.
type VirtualMCPServerList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []VirtualMCPServer `json:"items"`
}
