package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// A workload has at most one authorization configuration.
// +kubebuilder:validation:XValidation:rule=`!(has(self.authzConfig) && has(self.authzConfigRef)) || (oldSelf.?authzConfig.hasValue() && oldSelf.?authzConfigRef.hasValue())`,message=`authzConfig must not be set together with authzConfigRef: keep one`,reason=FieldValueForbidden,fieldPath=`.authzConfig`,optionalOldSelf=true

// MCPRemoteProxySpec is the desired state of an MCPRemoteProxy.
type MCPRemoteProxySpec struct {
	AuthReferences `json:",inline"`

	// remoteUrl is the URL of the remote MCP server.
	// +kubebuilder:validation:Pattern=`^https?://`
	// +required
	RemoteURL string `json:"remoteUrl"`

	// allowPrivateEndpoint allows a remoteUrl on a private address.
	// +kubebuilder:default=false
	// +optional
	AllowPrivateEndpoint bool `json:"allowPrivateEndpoint,omitempty"`

	// proxyPort is the port that the proxy listens on. The default resource URL
	// contains it.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	// +kubebuilder:default=8080
	// +optional
	ProxyPort int32 `json:"proxyPort,omitempty"`

	// transport is the transport of the remote MCP server.
	// +kubebuilder:validation:Enum=sse;streamable-http
	// +kubebuilder:default=streamable-http
	// +optional
	Transport string `json:"transport,omitempty"`

	// headerForward adds headers to the requests that go to the remote MCP
	// server.
	// +optional
	HeaderForward *OpaqueObject `json:"headerForward,omitempty"`

	// authzConfig is the authorization policy, inline or from a ConfigMap.
	// +optional
	AuthzConfig *OpaqueObject `json:"authzConfig,omitempty"`

	// authzConfigRef names a shared authorization policy.
	// +optional
	AuthzConfigRef *OpaqueObject `json:"authzConfigRef,omitempty"`

	// audit configures audit logs.
	// +optional
	Audit *OpaqueObject `json:"audit,omitempty"`

	// toolConfigRef names the tool configuration, which selects the tools that
	// clients see.
	// +optional
	ToolConfigRef *OpaqueObject `json:"toolConfigRef,omitempty"`

	// telemetryConfigRef names the telemetry configuration.
	// +optional
	TelemetryConfigRef *OpaqueObject `json:"telemetryConfigRef,omitempty"`

	// resources are the resource requirements of the proxy's container.
	// +optional
	Resources *OpaqueObject `json:"resources,omitempty"`

	// serviceAccount is the service account of the proxy.
	// +optional
	ServiceAccount *string `json:"serviceAccount,omitempty"`

	// trustProxyHeaders makes the proxy trust X-Forwarded headers.
	// +kubebuilder:default=false
	// +optional
	TrustProxyHeaders bool `json:"trustProxyHeaders,omitempty"`

	// endpointPrefix is the prefix of the URLs that the proxy returns to clients.
	// +optional
	EndpointPrefix string `json:"endpointPrefix,omitempty"`

	// resourceOverrides change the objects that ToolHive creates.
	// +optional
	ResourceOverrides *OpaqueObject `json:"resourceOverrides,omitempty"`

	// podTemplateSpec is merged into the proxy's pod.
	// +optional
	PodTemplateSpec *OpaqueObject `json:"podTemplateSpec,omitempty"`

	// groupRef names the group that the proxy belongs to.
	// +optional
	GroupRef *OpaqueObject `json:"groupRef,omitempty"`

	// sessionAffinity is the session affinity of the Service.
	// +kubebuilder:validation:Enum=ClientIP;None
	// +kubebuilder:default=ClientIP
	// +optional
	SessionAffinity string `json:"sessionAffinity,omitempty"`

	// replicas is the number of replicas of the proxy.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Format=int32
	// +optional
	Replicas *int64 `json:"replicas,omitempty"`

	// sessionStorage configures where the proxy stores sessions.
	// +optional
	SessionStorage *OpaqueObject `json:"sessionStorage,omitempty"`
}

// +kubebuilder:object:root=true
// +kubebuilder:deprecatedversion:warning="toolhive.stacklok.dev/v1alpha1 is deprecated; use v1beta1"
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=rp;mcprp,categories=toolhive
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="BaselineScopesValid",type=string,JSONPath=`.status.conditions[?(@.type=="BaselineScopesValid")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="BaselineScopesValid")].reason`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="BaselineScopesValid")].message`

// MCPRemoteProxy is a proxy in front of a remote MCP server. It runs an embedded
// auth server if one of its references names one.
type MCPRemoteProxy struct {
	metav1.TypeMeta `json:",inline"`
	// metadata names the object.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is the proxy to run.
	// +optional
	Spec MCPRemoteProxySpec `json:"spec,omitempty"`
	// status is the verdict on the baseline of the auth server, and the state of
	// its rollout.
	// +kubebuilder:default={"observedGeneration":-1}
	// +optional
	Status Status `json:"status,omitempty"`
}
