package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Status is what scopegate observed about an object.
type Status struct {
	// conditions are the latest observations of this object. scopegate writes
	// BaselineScopesValid, and on the kinds that run an auth server also Ready
	// and Stalled. Each is absent where it does not apply.
	// +listType=map
	// +listMapKey=type
	// +optional
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// observedGeneration is the metadata.generation for which the conditions were
	// evaluated. It is -1 until the first evaluation.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
}
