// Package v1alpha1 defines the API of the group toolhive.stacklok.dev: every
// spec and status type, the rules that the API server enforces on one object
// (CEL markers beside the fields that they read), and the root types of the
// deprecated version v1alpha1. Package v1beta1 wraps these types in the root
// types of the version that is stored and that every client uses; the two
// versions have the very same schema.
//
// The types accept every manifest of ToolHive v0.47.0 and of v0.63.0. What
// scopegate reads is typed; what only ToolHive reads is opaque: the name of the
// field is known, its content is kept as it is.
//
// +kubebuilder:object:generate=true
// +groupName=toolhive.stacklok.dev
package v1alpha1
