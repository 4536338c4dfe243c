package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// There is one configuration of authorization at most. A stored object with both stays
// editable while it has both.
// +kubebuilder:validation:XValidation:rule=`!(has(self.authzConfig) && has(self.authzConfigRef)) || (oldSelf.?authzConfig.hasValue() && oldSelf.?authzConfigRef.hasValue())`,message=`authzConfig must not be set together with authzConfigRef: keep one`,reason=FieldValueForbidden,fieldPath=`.authzConfig`,optionalOldSelf=true

// MCPServerSpec is the desired state of an MCPServer.
type MCPServerSpec struct {
	AuthReferences `json:",inline"`

	// image of the MCP server.
	// +required
	Image string `json:"image"`

	// transport between the proxy and the MCP server.
	// +kubebuilder:validation:Enum=stdio;streamable-http;sse
	// +kubebuilder:default=stdio
	// +optional
	Transport string `json:"transport,omitempty"`

	// proxyMode is the transport that clients see where transport is stdio.
	// +kubebuilder:validation:Enum=sse;streamable-http
	// +kubebuilder:default=streamable-http
	// +optional
	ProxyMode string `json:"proxyMode,omitempty"`

	// proxyPort on which the proxy listens; it is in the default resource URL.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	// +kubebuilder:default=8080
	// +optional
	ProxyPort int32 `json:"proxyPort,omitempty"`

	// mcpPort on which the MCP server listens.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	// +optional
	MCPPort int32 `json:"mcpPort,omitempty"`

	// maxRequestBodySize of requests to the proxy, in bytes.
	// +kubebuilder:validation:Minimum=0
	// +optional
	MaxRequestBodySize *int64 `json:"maxRequestBodySize,omitempty"`

	// proxyReadTimeout of a whole request to the proxy, a Go duration. If empty:
	// 30s.
	// +kubebuilder:validation:Format=duration
	// +optional
	ProxyReadTimeout string `json:"proxyReadTimeout,omitempty"`

	// args of the MCP server's container.
	// +listType=atomic
	// +optional
	Args []string `json:"args,omitempty"`

	// env of the MCP server's container.
	// +listType=map
	// +listMapKey=name
	// +optional
	Env []NamedOpaqueObject `json:"env,omitempty"`

	// volumes of the MCP server.
	// +listType=map
	// +listMapKey=name
	// +optional
	Volumes []NamedOpaqueObject `json:"volumes,omitempty"`

	// resources of the MCP server's container.
	// +optional
	Resources *OpaqueObject `json:"resources,omitempty"`

	// secrets that are mounted into the MCP server.
	// +listType=map
	// +listMapKey=name
	// +listMapKey=key
	// +optional
	Secrets []KeyedOpaqueObject `json:"secrets,omitempty"`

	// serviceAccount of the MCP server.
	// +optional
	ServiceAccount *string `json:"serviceAccount,omitempty"`

	// permissionProfile of the MCP server.
	// +optional
	PermissionProfile *OpaqueObject `json:"permissionProfile,omitempty"`

	// podTemplateSpec is merged into the MCP server's pod.
	// +optional
	PodTemplateSpec *OpaqueObject `json:"podTemplateSpec,omitempty"`

	// resourceOverrides of the objects that ToolHive makes.
	// +optional
	ResourceOverrides *OpaqueObject `json:"resourceOverrides,omitempty"`

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

	// webhookConfigRef names the webhooks that are called.
	// +optional
	WebhookConfigRef *OpaqueObject `json:"webhookConfigRef,omitempty"`

	// telemetryConfigRef names the telemetry.
	// +optional
	TelemetryConfigRef *OpaqueObject `json:"telemetryConfigRef,omitempty"`

	// trustProxyHeaders reports whether X-Forwarded headers are believed.
	// +kubebuilder:default=false
	// +optional
	TrustProxyHeaders bool `json:"trustProxyHeaders,omitempty"`

	// endpointPrefix of the URLs that the proxy hands out.
	// +optional
	EndpointPrefix string `json:"endpointPrefix,omitempty"`

	// groupRef names the group that the MCP server belongs to.
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

	// backendReplicas of the MCP server.
	// +kubebuilder:validation:Minimum=0
	// +optional
	BackendReplicas *int32 `json:"backendReplicas,omitempty"`

	// sessionStorage of the proxy.
	// +optional
	SessionStorage *OpaqueObject `json:"sessionStorage,omitempty"`

	// rateLimiting of requests.
	// +optional
	RateLimiting *OpaqueObject `json:"rateLimiting,omitempty"`
}

// +kubebuilder:object:root=true
// +kubebuilder:deprecatedversion:warning="toolhive.stacklok.dev/v1alpha1 is deprecated; use v1beta1"
// +kubebuilder:subresource:status
// +kubebuilder:resource:categories=toolhive
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="BaselineScopesValid",type=string,JSONPath=`.status.conditions[?(@.type=="BaselineScopesValid")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="BaselineScopesValid")].reason`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="BaselineScopesValid")].message`

// MCPServer is an MCP server behind a proxy. It runs an embedded auth server if
// one of its references names one.
type MCPServer struct {
	metav1.TypeMeta `json:",inline"`
	// metadata names the object.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is the MCP server to run.
	// +optional
	Spec MCPServerSpec `json:"spec,omitempty"`
	// status is the verdict on the baseline of its auth server, and its rollout.
	// +kubebuilder:default={"observedGeneration":-1}
	// +optional
	Status Status `json:"status,omitempty"`
}

// +kubebuilder:object:root=true

// MCPServerList is a list of MCPServers.
type MCPServerList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []MCPServer `json:"items"`
}
