// Package v1alpha1 defines the API of the group toolhive.stacklok.dev: all spec
// and status types, the CEL rules that the API server enforces on a single object
// (markers beside the fields that they read), and the root types of the
// deprecated version v1alpha1. Package v1beta1 wraps these types in the root
// types of the storage version, which every client uses. The two versions have
// identical schemas.
//
// The types accept every manifest of ToolHive v0.47.0 and v0.63.0. Fields that
// scopegate reads are typed. Fields that only ToolHive reads are opaque: the
// field name is known, and its content is stored unchanged.
//
// Rules ratchet: what was stored before a rule stays until it changes. The API
// server does this itself, but it never takes an object with opaque content for
// unchanged. A rule on such an object therefore ends with
// "|| optional.of(self) == oldSelf". Otherwise an object that was stored before
// the rule could not even lose a finalizer. One rule, on the scopes of a
// VirtualMCPServer, is on the whole spec, so it compares what it reads.
//
// +kubebuilder:object:generate=true
// +groupName=toolhive.stacklok.dev
package v1alpha1
