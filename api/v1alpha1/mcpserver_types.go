package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// A workload has at most one authorization configuration.
// +kubebuilder:validation:XValidation:rule=`!(has(self.authzConfig) && has(self.authzConfigRef)) || (oldSelf.?authzConfig.hasValue() && oldSelf.?authzConfigRef.hasValue())`,message=`authzConfig must not be set together with authzConfigRef: keep one`,reason=FieldValueForbidden,fieldPath=`.authzConfig`,optionalOldSelf=true

// MCPServerSpec is the desired state of an MCPServer.
type MCPServerSpec struct {
	AuthReferences `json:",inline"`

	// image is the container image of the MCP server.
	// +required
	Image string `json:"image"`

	// transport is the transport between the proxy and the MCP server.
	// +kubebuilder:validation:Enum=stdio;streamable-http;sse
	// +kubebuilder:default=stdio
	// +optional
	Transport string `json:"transport,omitempty"`

	// proxyMode is the transport that clients use when transport is stdio.
	// +kubebuilder:validation:Enum=sse;streamable-http
	// +kubebuilder:default=streamable-http
	// +optional
	ProxyMode string `json:"proxyMode,omitempty"`

	// proxyPort is the port that the proxy listens on. The default resource URL
	// contains it.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	// +kubebuilder:default=8080
	// +optional
	ProxyPort int32 `json:"proxyPort,omitempty"`

	// mcpPort is the port that the MCP server listens on.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	// +optional
	MCPPort int32 `json:"mcpPort,omitempty"`

	// maxRequestBodySize is the maximum size of a request body, in bytes.
	// +kubebuilder:validation:Minimum=0
	// +optional
	MaxRequestBodySize *int64 `json:"maxRequestBodySize,omitempty"`

	// proxyReadTimeout is the maximum time in which the proxy reads a whole
	// request, as a Go duration. If empty: 30s.
	// +kubebuilder:validation:Format=duration
	// +optional
	ProxyReadTimeout string `json:"proxyReadTimeout,omitempty"`

	// args are the arguments of the MCP server's container.
	// +listType=atomic
	// +optional
	Args []string `json:"args,omitempty"`

	// env are the environment variables of the MCP server's container.
	// +listType=map
	// +listMapKey=name
	// +optional
	Env []NamedOpaqueObject `json:"env,omitempty"`

	// volumes are the volumes of the MCP server's pod.
	// +listType=map
	// +listMapKey=name
	// +optional
	Volumes []NamedOpaqueObject `json:"volumes,omitempty"`

	// resources are the resource requirements of the MCP server's container.
	// +optional
	Resources *OpaqueObject `json:"resources,omitempty"`

	// secrets are the Secrets that are passed to the MCP server.
	// +listType=map
	// +listMapKey=name
	// +listMapKey=key
	// +optional
	Secrets []KeyedOpaqueObject `json:"secrets,omitempty"`

	// serviceAccount is the service account of the MCP server.
	// +optional
	ServiceAccount *string `json:"serviceAccount,omitempty"`

	// permissionProfile limits what the MCP server may access.
	// +optional
	PermissionProfile *OpaqueObject `json:"permissionProfile,omitempty"`

	// podTemplateSpec is merged into the MCP server's pod.
	// +optional
	PodTemplateSpec *OpaqueObject `json:"podTemplateSpec,omitempty"`

	// resourceOverrides change the objects that ToolHive creates.
	// +optional
	ResourceOverrides *OpaqueObject `json:"resourceOverrides,omitempty"`

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

	// webhookConfigRef names the webhook configuration.
	// +optional
	WebhookConfigRef *OpaqueObject `json:"webhookConfigRef,omitempty"`

	// telemetryConfigRef names the telemetry configuration.
	// +optional
	TelemetryConfigRef *OpaqueObject `json:"telemetryConfigRef,omitempty"`

	// trustProxyHeaders makes the proxy trust X-Forwarded headers.
	// +kubebuilder:default=false
	// +optional
	TrustProxyHeaders bool `json:"trustProxyHeaders,omitempty"`

	// endpointPrefix is the prefix of the URLs that the proxy returns to clients.
	// +optional
	EndpointPrefix string `json:"endpointPrefix,omitempty"`

	// groupRef names the group that the MCP server belongs to.
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

	// backendReplicas is the number of replicas of the MCP server.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Format=int32
	// +optional
	BackendReplicas *int64 `json:"backendReplicas,omitempty"`

	// sessionStorage configures where the proxy stores sessions.
	// +optional
	SessionStorage *OpaqueObject `json:"sessionStorage,omitempty"`

	// rateLimiting limits the rate of requests.
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
	// status is the verdict on the baseline of the auth server, and the state of
	// its rollout.
	// +kubebuilder:default={"observedGeneration":-1}
	// +optional
	Status Status `json:"status,omitempty"`
}
