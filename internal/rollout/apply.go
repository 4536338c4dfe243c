package rollout

import (
	"context"
	"errors"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
)

// FieldManager is the field manager of the children.
const FieldManager = "scopegate"

// Applier writes the children of consumers.
type Applier struct {
	// Client reads from the cache and writes to the API server.
	Client client.Client
	// Live reads from the API server.
	Live client.Reader
	// Image is the image of the auth server.
	Image string
}

// NameConflictError means that an object that does not belong to the consumer has
// the name of one of its children. The object is unchanged.
type NameConflictError struct {
	Kind, Namespace, Name string
}

func (e *NameConflictError) Error() string {
	return fmt.Sprintf("%s %q of namespace %q was not created by scopegate for this object, but has the name that its auth server needs: delete it, or recreate it under another name",
		e.Kind, e.Name, e.Namespace)
}

// Apply creates or updates the Deployment and the Service of owner, and returns
// the Deployment. It writes only differences, and nothing if somebody else's
// object has either name (*NameConflictError).
func (a *Applier) Apply(ctx context.Context, owner client.Object, checked Checked) (*appsv1.Deployment, error) {
	if checked.runConfig == "" {
		return nil, fmt.Errorf("rolling out %s: not checked", owner.GetName())
	}
	deployment, service := checked.deployment(a.Image), checked.service()
	for _, child := range []client.Object{service, deployment} {
		if err := controllerutil.SetControllerReference(owner, child, a.Client.Scheme(), controllerutil.WithBlockOwnerDeletion(false)); err != nil {
			return nil, fmt.Errorf("setting the owner of %s: %w", child.GetName(), err)
		}
		if _, err := a.find(ctx, a.Client, owner, child); err != nil {
			return nil, err
		}
	}
	if _, err := a.ensure(ctx, owner, service); err != nil {
		return nil, err
	}
	live, err := a.ensure(ctx, owner, deployment)
	if err != nil {
		return nil, err
	}
	return live.(*appsv1.Deployment), nil
}

// Remove deletes the children of an owner that no longer references an auth
// server. It calls referencesGone on the live owner, so that a lagging cache
// never deletes a workload.
func (a *Applier) Remove(ctx context.Context, owner client.Object, name string, referencesGone func(client.Object) bool) error {
	var children []client.Object
	for _, child := range []client.Object{&appsv1.Deployment{}, &corev1.Service{}} {
		child.SetNamespace(owner.GetNamespace())
		child.SetName(name)
		switch err := a.Client.Get(ctx, client.ObjectKeyFromObject(child), child); {
		case apierrors.IsNotFound(err):
		case err != nil:
			return fmt.Errorf("reading %s: %w", name, err)
		case metav1.IsControlledBy(child, owner):
			children = append(children, child)
		}
	}
	if len(children) == 0 {
		return nil
	}
	live, err := a.liveOwner(ctx, owner)
	if err != nil || live == nil || !referencesGone(live) {
		return err
	}
	for _, child := range children {
		uid, version := child.GetUID(), child.GetResourceVersion()
		err := a.Client.Delete(ctx, child, client.Preconditions{UID: &uid, ResourceVersion: &version},
			client.PropagationPolicy(metav1.DeletePropagationBackground))
		if client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("deleting %s: %w", name, err)
		}
	}
	return nil
}

// liveOwner reads owner from the API server. It returns nil if owner was deleted,
// whatever has its name now.
func (a *Applier) liveOwner(ctx context.Context, owner client.Object) (client.Object, error) {
	live := owner.DeepCopyObject().(client.Object)
	switch err := a.Live.Get(ctx, client.ObjectKeyFromObject(owner), live); {
	case apierrors.IsNotFound(err):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("reading %s: %w", owner.GetName(), err)
	case live.GetUID() != owner.GetUID():
		return nil, nil
	}
	return live, nil
}

// find reads the object with the name of desired. It returns nil if there is
// none, and a *NameConflictError if it belongs to somebody else.
func (a *Applier) find(ctx context.Context, reader client.Reader, owner, desired client.Object) (client.Object, error) {
	found := desired.DeepCopyObject().(client.Object)
	err := reader.Get(ctx, client.ObjectKeyFromObject(desired), found)
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("reading %s: %w", desired.GetName(), err)
	case !metav1.IsControlledBy(found, owner):
		gvk, _ := a.Client.GroupVersionKindFor(desired)
		return nil, &NameConflictError{Kind: gvk.Kind, Namespace: desired.GetNamespace(), Name: desired.GetName()}
	}
	return found, nil
}

// ensure creates desired, or updates the existing object where it differs.
func (a *Applier) ensure(ctx context.Context, owner, desired client.Object) (client.Object, error) {
	cached, err := a.find(ctx, a.Client, owner, desired)
	if err != nil || cached != nil && equality.Semantic.DeepEqual(restored(cached, desired), cached) {
		return cached, err
	}
	if cached == nil {
		// The garbage collector deletes the children of a deleted owner. They would be
		// created again and again, until the cache no longer has the owner.
		switch current, err := a.liveOwner(ctx, owner); {
		case err != nil:
			return nil, err
		case current == nil:
			return nil, apierrors.NewConflict(appsv1.Resource("children"), desired.GetName(), errors.New("its owner was deleted"))
		}
		created := desired.DeepCopyObject().(client.Object)
		if err := a.Client.Create(ctx, created, client.FieldOwner(FieldManager)); !apierrors.IsAlreadyExists(err) {
			return created, err
		}
	}
	// Either the cache lags or there is a difference to write. Decide on the live
	// state, and bind the write to it.
	live, err := a.find(ctx, a.Live, owner, desired)
	if err != nil {
		return nil, err
	}
	if live == nil {
		return nil, apierrors.NewConflict(appsv1.Resource("children"), desired.GetName(), errors.New("deleted meanwhile"))
	}
	after := restored(live, desired)
	if equality.Semantic.DeepEqual(after, live) {
		return live, nil
	}
	// A merge patch replaces whole lists. A server-side apply would keep entries
	// that others added.
	patch := client.MergeFromWithOptions(live, client.MergeFromWithOptimisticLock{})
	return after, a.Client.Patch(ctx, after, patch, client.FieldOwner(FieldManager))
}
