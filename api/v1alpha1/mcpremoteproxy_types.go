package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// There is one configuration of authorization at most. A stored object with both stays
// editable while it has both.
// +kubebuilder:validation:XValidation:rule=`!(has(self.authzConfig) && has(self.authzConfigRef)) || (oldSelf.?authzConfig.hasValue() && oldSelf.?authzConfigRef.hasValue())`,message=`authzConfig must not be set together with authzConfigRef: keep one`,reason=FieldValueForbidden,fieldPath=`.authzConfig`,optionalOldSelf=true

// MCPRemoteProxySpec is the desired state of an MCPRemoteProxy.
type MCPRemoteProxySpec struct {
	AuthReferences `json:",inline"`

	// remoteUrl of the MCP server.
	// +kubebuilder:validation:Pattern=`^https?://`
	// +required
	RemoteURL string `json:"remoteUrl"`

	// allowPrivateEndpoint permits a remoteUrl on a private address.
	// +kubebuilder:default=false
	// +optional
	AllowPrivateEndpoint bool `json:"allowPrivateEndpoint,omitempty"`

	// proxyPort on which the proxy listens; it is in the default resource URL.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	// +kubebuilder:default=8080
	// +optional
	ProxyPort int32 `json:"proxyPort,omitempty"`

	// transport of the remote MCP server.
	// +kubebuilder:validation:Enum=sse;streamable-http
	// +kubebuilder:default=streamable-http
	// +optional
	Transport string `json:"transport,omitempty"`

	// headerForward adds headers to the requests to the remote MCP server.
	// +optional
	HeaderForward *OpaqueObject `json:"headerForward,omitempty"`

	// authzConfig is the authorization policy, inline or in a ConfigMap.
	// +optional
	AuthzConfig *OpaqueObject `json:"authzConfig,omitempty"`

	// authzConfigRef names a shared authorization policy.
	// +optional
	AuthzConfigRef *OpaqueObject `json:"authzConfigRef,omitempty"`

	// audit configures audit logs.
	// +optional
	Audit *OpaqueObject `json:"audit,omitempty"`

	// toolConfigRef names the tools that are offered.
	// +optional
	ToolConfigRef *OpaqueObject `json:"toolConfigRef,omitempty"`

	// telemetryConfigRef names the telemetry.
	// +optional
	TelemetryConfigRef *OpaqueObject `json:"telemetryConfigRef,omitempty"`

	// resources of the proxy's container.
	// +optional
	Resources *OpaqueObject `json:"resources,omitempty"`

	// serviceAccount of the proxy.
	// +optional
	ServiceAccount *string `json:"serviceAccount,omitempty"`

	// trustProxyHeaders reports whether X-Forwarded headers are believed.
	// +kubebuilder:default=false
	// +optional
	TrustProxyHeaders bool `json:"trustProxyHeaders,omitempty"`

	// endpointPrefix of the URLs that the proxy hands out.
	// +optional
	EndpointPrefix string `json:"endpointPrefix,omitempty"`

	// resourceOverrides of the objects that ToolHive makes.
	// +optional
	ResourceOverrides *OpaqueObject `json:"resourceOverrides,omitempty"`

	// podTemplateSpec is merged into the proxy's pod.
	// +optional
	PodTemplateSpec *OpaqueObject `json:"podTemplateSpec,omitempty"`

	// groupRef names the group that the proxy belongs to.
	// +optional
	GroupRef *OpaqueObject `json:"groupRef,omitempty"`

	// sessionAffinity of the Service.
	// +kubebuilder:validation:Enum=ClientIP;None
	// +kubebuilder:default=ClientIP
	// +optional
	SessionAffinity string `json:"sessionAffinity,omitempty"`

	// replicas of the proxy.
	// +kubebuilder:validation:Minimum=0
	// +optional
	Replicas *int32 `json:"replicas,omitempty"`

	// sessionStorage of the proxy.
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

// MCPRemoteProxy is a proxy in front of an MCP server elsewhere. It runs an
// embedded auth server if one of its references names one.
type MCPRemoteProxy struct {
	metav1.TypeMeta `json:",inline"`
	// metadata names the object.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is the proxy to run.
	// +optional
	Spec MCPRemoteProxySpec `json:"spec,omitempty"`
	// status is the verdict on the baseline of its auth server, and its rollout.
	// +kubebuilder:default={"observedGeneration":-1}
	// +optional
	Status Status `json:"status,omitempty"`
}

// +kubebuilder:object:root=true

// MCPRemoteProxyList is a list of MCPRemoteProxies.
type MCPRemoteProxyList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []MCPRemoteProxy `json:"items"`
}
