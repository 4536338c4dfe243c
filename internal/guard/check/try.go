package check

import (
	"context"
	"errors"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/internal/guard"
	"github.com/scopegate/scopegate/internal/toolhive"
)

// Check returns for each policy why it is not effective, "" if it is. It returns
// an error if it could not determine that.
func (c *Checker) Check(ctx context.Context) (map[string]string, error) {
	found, err := c.inspect(ctx)
	if err != nil {
		return nil, err
	}
	if err := c.store(ctx); err != nil {
		return nil, err
	}
	for _, edit := range edits(c.namespace) {
		if why, installed := found[edit.policy]; !installed || why != "" {
			continue
		}
		if found[edit.policy], err = c.try(ctx, edit); err != nil {
			return nil, err
		}
	}
	if why, installed := found[guard.HoldPolicy]; installed && why == "" {
		found[guard.HoldPolicy], err = c.tryHold(ctx)
	}
	return found, err
}

// store creates the objects that must exist for an edit to be rejected or held: a
// config that nothing references and a ConfigMap that nothing mounts, so nothing
// runs from them.
func (c *Checker) store(ctx context.Context) error {
	for _, object := range stored(c.namespace) {
		err := c.client.Create(ctx, object)
		switch {
		case err == nil, apierrors.IsAlreadyExists(err), apierrors.IsNotFound(err), meta.IsNoMatchError(err):
		default:
			return fmt.Errorf("storing %T %s/%s: %w", object, c.namespace, Name, err)
		}
	}
	return nil
}

// try creates by dry run an object that a policy must reject, and returns why the
// policy is not effective.
func (c *Checker) try(ctx context.Context, edit edit) (string, error) {
	err := c.client.Create(ctx, edit.object, client.DryRunAll)
	mark := fmt.Sprintf("'%s' with binding ", edit.policy)
	switch {
	case rejected(err, mark):
		return "", nil
	case err == nil:
		return fmt.Sprintf("it admitted by dry run what it must reject: %s in namespace %s%s", edit.what, c.namespace, c.labelHint()), nil
	case apierrors.IsInvalid(err), apierrors.IsForbidden(err), apierrors.IsNotFound(err), meta.IsNoMatchError(err):
		return fmt.Sprintf("%s can't be tried in namespace %s: %v", edit.what, c.namespace, err), nil
	default:
		return "", fmt.Errorf("trying policy %s by dry run: %w", edit.policy, err)
	}
}

func rejected(err error, mark string) bool {
	var status *apierrors.StatusError
	return errors.As(err, &status) && strings.Contains(status.ErrStatus.Message, mark)
}

// tryHold updates the stored ConfigMap by dry run to a run config that must be
// held.
func (c *Checker) tryHold(ctx context.Context) (string, error) {
	update := runConfig(c.namespace, unsupported)
	err := c.client.Update(ctx, update, client.DryRunAll)
	switch {
	case err == nil && update.Data[toolhive.RunConfigKey] == runConfig(c.namespace, supported).Data[toolhive.RunConfigKey]:
		return "", nil
	case err == nil:
		return fmt.Sprintf("it did not hold by dry run what it must hold: the update of ConfigMap %s/%s%s", c.namespace, Name, c.labelHint()), nil
	case apierrors.IsInvalid(err), apierrors.IsForbidden(err), apierrors.IsNotFound(err):
		return fmt.Sprintf("the update of ConfigMap %s/%s can't be tried: %v", c.namespace, Name, err), nil
	default:
		return "", fmt.Errorf("trying policy %s by dry run: %w", guard.HoldPolicy, err)
	}
}

func (c *Checker) labelHint() string {
	return fmt.Sprintf(". Make sure that the namespace has the label %s=%s", guard.ModeLabel, guard.ModeDeny)
}

// Remove deletes the objects that the check stored.
func Remove(ctx context.Context, c client.Client, namespace string) error {
	for _, object := range stored(namespace) {
		if err := c.Delete(ctx, object); err != nil && !apierrors.IsNotFound(err) && !meta.IsNoMatchError(err) {
			return fmt.Errorf("deleting %T %s/%s: %w", object, namespace, Name, err)
		}
	}
	return nil
}
