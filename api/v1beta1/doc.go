// Package v1beta1 holds the root types of the stored version of the group
// toolhive.stacklok.dev, which every client and every owner reference uses. The
// specs, the statuses and the rules are those of package v1alpha1.
//
// +kubebuilder:object:generate=true
// +groupName=toolhive.stacklok.dev
package v1beta1
