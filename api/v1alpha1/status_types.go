package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Status is what scopegate observed of an object.
type Status struct {
	// conditions are the latest observations of this object. scopegate writes
	// BaselineScopesValid, and on the kinds that run an auth server Ready and
	// Stalled; each is absent where it does not apply.
	// +listType=map
	// +listMapKey=type
	// +optional
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// observedGeneration is the metadata.generation that the conditions were
	// evaluated for. It is -1 until the object has been evaluated for the first time.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
}
