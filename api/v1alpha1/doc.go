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
// unchanged, and before 1.37 oldSelf == optional.of(self) is false there too. So
// a rule on such an object ends with a comparison of what it reads, or compares
// the mistake before and after: [oldSelf, optional.of(self)].map(o, mistake) !=
// [false, true]. Otherwise an object that was stored before the rule
// could not even lose a finalizer.
//
// +kubebuilder:object:generate=true
// +groupName=toolhive.stacklok.dev
package v1alpha1
