package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// ExternalAuthType selects which field of an MCPExternalAuthConfig applies.
type ExternalAuthType string

// ExternalAuthTypeEmbeddedAuthServer is the type whose consumers run an embedded
// auth server. It is the only type that scopegate evaluates.
const ExternalAuthTypeEmbeddedAuthServer ExternalAuthType = "embeddedAuthServer"

// Only the field with the name of the type is set. Each field has its own rule,
// so that the rule can name it.
// +kubebuilder:validation:XValidation:rule=`(self.type == 'embeddedAuthServer') == has(self.embeddedAuthServer) || (oldSelf.?type.orValue('') == self.type && oldSelf.?embeddedAuthServer.hasValue() == has(self.embeddedAuthServer))`,message=`embeddedAuthServer must be set if and only if type is embeddedAuthServer`,messageExpression=`has(self.embeddedAuthServer) ? 'embeddedAuthServer is set, but type is ' + self.type + ': remove it, or set type to embeddedAuthServer' : 'type is embeddedAuthServer, but embeddedAuthServer is not set: set it, or choose another type'`,fieldPath=`.embeddedAuthServer`,optionalOldSelf=true
// +kubebuilder:validation:XValidation:rule=`(self.type == 'tokenExchange') == has(self.tokenExchange) || (oldSelf.?type.orValue('') == self.type && oldSelf.?tokenExchange.hasValue() == has(self.tokenExchange))`,message=`tokenExchange must be set if and only if type is tokenExchange`,messageExpression=`has(self.tokenExchange) ? 'tokenExchange is set, but type is ' + self.type + ': remove it, or set type to tokenExchange' : 'type is tokenExchange, but tokenExchange is not set: set it, or choose another type'`,fieldPath=`.tokenExchange`,optionalOldSelf=true
// +kubebuilder:validation:XValidation:rule=`(self.type == 'headerInjection') == has(self.headerInjection) || (oldSelf.?type.orValue('') == self.type && oldSelf.?headerInjection.hasValue() == has(self.headerInjection))`,message=`headerInjection must be set if and only if type is headerInjection`,messageExpression=`has(self.headerInjection) ? 'headerInjection is set, but type is ' + self.type + ': remove it, or set type to headerInjection' : 'type is headerInjection, but headerInjection is not set: set it, or choose another type'`,fieldPath=`.headerInjection`,optionalOldSelf=true
// +kubebuilder:validation:XValidation:rule=`(self.type == 'bearerToken') == has(self.bearerToken) || (oldSelf.?type.orValue('') == self.type && oldSelf.?bearerToken.hasValue() == has(self.bearerToken))`,message=`bearerToken must be set if and only if type is bearerToken`,messageExpression=`has(self.bearerToken) ? 'bearerToken is set, but type is ' + self.type + ': remove it, or set type to bearerToken' : 'type is bearerToken, but bearerToken is not set: set it, or choose another type'`,fieldPath=`.bearerToken`,optionalOldSelf=true
// +kubebuilder:validation:XValidation:rule=`(self.type == 'awsSts') == has(self.awsSts) || (oldSelf.?type.orValue('') == self.type && oldSelf.?awsSts.hasValue() == has(self.awsSts))`,message=`awsSts must be set if and only if type is awsSts`,messageExpression=`has(self.awsSts) ? 'awsSts is set, but type is ' + self.type + ': remove it, or set type to awsSts' : 'type is awsSts, but awsSts is not set: set it, or choose another type'`,fieldPath=`.awsSts`,optionalOldSelf=true
// +kubebuilder:validation:XValidation:rule=`(self.type == 'upstreamInject') == has(self.upstreamInject) || (oldSelf.?type.orValue('') == self.type && oldSelf.?upstreamInject.hasValue() == has(self.upstreamInject))`,message=`upstreamInject must be set if and only if type is upstreamInject`,messageExpression=`has(self.upstreamInject) ? 'upstreamInject is set, but type is ' + self.type + ': remove it, or set type to upstreamInject' : 'type is upstreamInject, but upstreamInject is not set: set it, or choose another type'`,fieldPath=`.upstreamInject`,optionalOldSelf=true
// +kubebuilder:validation:XValidation:rule=`(self.type == 'obo') == has(self.obo) || (oldSelf.?type.orValue('') == self.type && oldSelf.?obo.hasValue() == has(self.obo))`,message=`obo must be set if and only if type is obo`,messageExpression=`has(self.obo) ? 'obo is set, but type is ' + self.type + ': remove it, or set type to obo' : 'type is obo, but obo is not set: set it, or choose another type'`,fieldPath=`.obo`,optionalOldSelf=true
// +kubebuilder:validation:XValidation:rule=`(self.type == 'xaa') == has(self.xaa) || (oldSelf.?type.orValue('') == self.type && oldSelf.?xaa.hasValue() == has(self.xaa))`,message=`xaa must be set if and only if type is xaa`,messageExpression=`has(self.xaa) ? 'xaa is set, but type is ' + self.type + ': remove it, or set type to xaa' : 'type is xaa, but xaa is not set: set it, or choose another type'`,fieldPath=`.xaa`,optionalOldSelf=true

// MCPExternalAuthConfigSpec is the desired state of an MCPExternalAuthConfig.
type MCPExternalAuthConfigSpec struct {
	// type selects the field that applies: the field with the name of the type
	// must be set, and the others must not. The type unauthenticated has no
	// field.
	// +kubebuilder:validation:Enum=tokenExchange;headerInjection;bearerToken;unauthenticated;embeddedAuthServer;awsSts;upstreamInject;obo;xaa
	// +required
	Type ExternalAuthType `json:"type"`

	// tokenExchange configures the exchange of incoming tokens (RFC 8693). Only
	// ToolHive reads it.
	// +optional
	TokenExchange *OpaqueObject `json:"tokenExchange,omitempty"`

	// headerInjection configures a header for outgoing requests. Only ToolHive
	// reads it.
	// +optional
	HeaderInjection *OpaqueObject `json:"headerInjection,omitempty"`

	// bearerToken configures a bearer token for outgoing requests. Only ToolHive
	// reads it.
	// +optional
	BearerToken *OpaqueObject `json:"bearerToken,omitempty"`

	// embeddedAuthServer configures the OAuth authorization server of every
	// MCPServer and MCPRemoteProxy that references this object.
	// +optional
	EmbeddedAuthServer *EmbeddedAuthServerConfig `json:"embeddedAuthServer,omitempty"`

	// awsSts configures AWS STS credentials for outgoing requests. Only ToolHive
	// reads it.
	// +optional
	AWSSts *OpaqueObject `json:"awsSts,omitempty"`

	// upstreamInject configures the upstream token for outgoing requests. Only
	// ToolHive reads it.
	// +optional
	UpstreamInject *OpaqueObject `json:"upstreamInject,omitempty"`

	// obo configures an on-behalf-of flow. Only ToolHive reads it.
	// +optional
	OBO *OpaqueObject `json:"obo,omitempty"`

	// xaa configures cross-application access. Only ToolHive reads it.
	// +optional
	XAA *OpaqueObject `json:"xaa,omitempty"`
}

// +kubebuilder:object:root=true
// +kubebuilder:deprecatedversion:warning="toolhive.stacklok.dev/v1alpha1 is deprecated; use v1beta1"
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=extauth;mcpextauth,categories=toolhive
// +kubebuilder:printcolumn:name="Type",type=string,JSONPath=`.spec.type`
// +kubebuilder:printcolumn:name="BaselineScopesValid",type=string,JSONPath=`.status.conditions[?(@.type=="BaselineScopesValid")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="BaselineScopesValid")].reason`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="BaselineScopesValid")].message`

// MCPExternalAuthConfig configures an authentication that workloads of its
// namespace share by reference.
type MCPExternalAuthConfig struct {
	metav1.TypeMeta `json:",inline"`
	// metadata names the object.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is the authentication to configure.
	// +optional
	Spec MCPExternalAuthConfigSpec `json:"spec,omitempty"`
	// status is the verdict on the embedded auth server's baseline.
	// +kubebuilder:default={"observedGeneration":-1}
	// +optional
	Status Status `json:"status,omitempty"`
}
