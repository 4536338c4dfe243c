package v1beta1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/scopegate/scopegate/api/v1alpha1"
)

// +kubebuilder:object:root=true
// +kubebuilder:storageversion
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
	Spec v1alpha1.MCPOIDCConfigSpec `json:"spec,omitempty"`
	// status belongs to ToolHive; scopegate does not write it.
	// +optional
	Status v1alpha1.Status `json:"status,omitempty"`
}

// +kubebuilder:object:root=true

// MCPOIDCConfigList is a list of MCPOIDCConfigs.
type MCPOIDCConfigList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []MCPOIDCConfig `json:"items"`
}
