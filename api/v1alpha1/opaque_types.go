package v1alpha1

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// OpaqueObject is a JSON object that only ToolHive reads. It is stored and
// returned unchanged.
//
// +kubebuilder:validation:Type=object
// +kubebuilder:pruning:PreserveUnknownFields
type OpaqueObject struct {
	// Raw is the object's JSON text.
	Raw json.RawMessage `json:"-"`
}

// NamedOpaqueObject is an opaque entry of a list whose entries are identified by
// name.
//
// +kubebuilder:pruning:PreserveUnknownFields
type NamedOpaqueObject struct {
	// name identifies the entry in its list.
	// +required
	Name string `json:"name"`

	// Raw is the entry's whole JSON text, including name.
	Raw json.RawMessage `json:"-"`
}

// KeyedOpaqueObject is an opaque entry of a list whose entries are identified by
// name and key.
//
// +kubebuilder:pruning:PreserveUnknownFields
type KeyedOpaqueObject struct {
	// name identifies the entry in its list, together with key.
	// +required
	Name string `json:"name"`

	// key identifies the entry among those with the same name.
	// +required
	Key string `json:"key"`

	// Raw is the entry's whole JSON text, including name and key.
	Raw json.RawMessage `json:"-"`
}

// IsEmpty reports whether the object has no content, which means the same as its
// absence.
func (o *OpaqueObject) IsEmpty() bool {
	if o == nil {
		return true
	}
	compact := bytes.Join(bytes.Fields(o.Raw), nil)
	return len(compact) == 0 || bytes.Equal(compact, []byte("{}")) || bytes.Equal(compact, []byte("null"))
}

// MarshalJSON returns the object's text, or {} if there is none.
func (o OpaqueObject) MarshalJSON() ([]byte, error) {
	if len(o.Raw) == 0 {
		return []byte("{}"), nil
	}
	return o.Raw, nil
}

// UnmarshalJSON keeps data as the object's text.
func (o *OpaqueObject) UnmarshalJSON(data []byte) error {
	o.Raw = bytes.Clone(data)
	return nil
}

// MarshalJSON returns the entry's text, or only its name if there is no text.
func (o NamedOpaqueObject) MarshalJSON() ([]byte, error) {
	if len(o.Raw) == 0 {
		return json.Marshal(map[string]string{"name": o.Name})
	}
	return o.Raw, nil
}

// UnmarshalJSON keeps data as the entry's text and reads its name.
func (o *NamedOpaqueObject) UnmarshalJSON(data []byte) error {
	var named struct {
		Name string `json:"name"`
	}
	if err := json.Unmarshal(data, &named); err != nil {
		return fmt.Errorf("reading the name of a list entry: %w", err)
	}
	o.Name, o.Raw = named.Name, bytes.Clone(data)
	return nil
}

// MarshalJSON returns the entry's text, or only its name and key if there is no
// text.
func (o KeyedOpaqueObject) MarshalJSON() ([]byte, error) {
	if len(o.Raw) == 0 {
		return json.Marshal(map[string]string{"name": o.Name, "key": o.Key})
	}
	return o.Raw, nil
}

// UnmarshalJSON keeps data as the entry's text and reads its name and key.
func (o *KeyedOpaqueObject) UnmarshalJSON(data []byte) error {
	var keyed struct {
		Name string `json:"name"`
		Key  string `json:"key"`
	}
	if err := json.Unmarshal(data, &keyed); err != nil {
		return fmt.Errorf("reading the name and the key of a list entry: %w", err)
	}
	o.Name, o.Key, o.Raw = keyed.Name, keyed.Key, bytes.Clone(data)
	return nil
}
