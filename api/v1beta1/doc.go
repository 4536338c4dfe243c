// Package v1beta1 defines the root types of the storage version of the group
// toolhive.stacklok.dev, which every client and every owner reference uses. The
// specs, the statuses and the rules are in package v1alpha1.
//
// +kubebuilder:object:generate=true
// +groupName=toolhive.stacklok.dev
package v1beta1
