package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Only the field with the name of the type is set.
// +kubebuilder:validation:XValidation:rule=`(self.type == 'kubernetesServiceAccount') == has(self.kubernetesServiceAccount) || (oldSelf.?type.orValue('') == self.type && oldSelf.?kubernetesServiceAccount.hasValue() == has(self.kubernetesServiceAccount))`,message=`kubernetesServiceAccount must be set if and only if type is kubernetesServiceAccount`,fieldPath=`.kubernetesServiceAccount`,optionalOldSelf=true
// +kubebuilder:validation:XValidation:rule=`(self.type == 'inline') == has(self.inline) || (oldSelf.?type.orValue('') == self.type && oldSelf.?inline.hasValue() == has(self.inline))`,message=`inline must be set if and only if type is inline`,fieldPath=`.inline`,optionalOldSelf=true

// MCPOIDCConfigSpec is the desired state of an MCPOIDCConfig.
type MCPOIDCConfigSpec struct {
	// type selects the field that applies: the field with the name of the type
	// must be set, and the other must not.
	// +kubebuilder:validation:Enum=kubernetesServiceAccount;inline
	// +required
	Type string `json:"type"`

	// kubernetesServiceAccount configures the validation of service account
	// tokens. Only ToolHive reads it.
	// +optional
	KubernetesServiceAccount *OpaqueObject `json:"kubernetesServiceAccount,omitempty"`

	// inline configures the validation of an issuer's tokens. Only ToolHive reads
	// it.
	// +optional
	Inline *OpaqueObject `json:"inline,omitempty"`
}

// +kubebuilder:object:root=true
// +kubebuilder:deprecatedversion:warning="toolhive.stacklok.dev/v1alpha1 is deprecated; use v1beta1"
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=mcpoidc,categories=toolhive
// +kubebuilder:printcolumn:name="Source",type=string,JSONPath=`.spec.type`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`

// MCPOIDCConfig configures the validation of incoming tokens, which the workloads
// of its namespace share.
type MCPOIDCConfig struct {
	metav1.TypeMeta `json:",inline"`
	// metadata names the object.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec configures the validation of tokens.
	// +optional
	Spec MCPOIDCConfigSpec `json:"spec,omitempty"`
	// status belongs to ToolHive; scopegate does not write it.
	// +optional
	Status Status `json:"status,omitempty"`
}
