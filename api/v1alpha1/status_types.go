package v1alpha1

import (
	"encoding/json"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

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

// UnmarshalJSON implements json.Unmarshaler. It leaves out a time that the API server admits
// and Go rejects, such as 2026-01-01t00:00:00z. Otherwise no object of the kind could be
// listed while one has such a time.
func (s *Status) UnmarshalJSON(text []byte) error {
	var read struct {
		Conditions []struct {
			metav1.Condition
			// LastTransitionTime hides the field of Condition.
			LastTransitionTime json.RawMessage `json:"lastTransitionTime"`
		} `json:"conditions"`
		ObservedGeneration int64 `json:"observedGeneration"`
	}
	if err := json.Unmarshal(text, &read); err != nil {
		return err
	}
	*s = Status{ObservedGeneration: read.ObservedGeneration}
	for _, entry := range read.Conditions {
		// A time that Go rejects stays zero.
		_ = json.Unmarshal(entry.LastTransitionTime, &entry.Condition.LastTransitionTime)
		s.Conditions = append(s.Conditions, entry.Condition)
	}
	return nil
}
