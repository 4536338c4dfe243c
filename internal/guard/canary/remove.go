package canary

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// finalizerTimeout is how long ToolHive's operator may take to remove its finalizer.
const finalizerTimeout = 10 * time.Second

// Remove deletes the config that the check stored and waits until it is gone. It
// removes the finalizer of ToolHive's operator if that operator does not.
func Remove(ctx context.Context, c client.Client) error {
	config := stored()
	what := fmt.Sprintf("MCPExternalAuthConfig %s/%s", config.GetNamespace(), config.GetName())
	if err := c.Delete(ctx, config); gone(err) {
		return nil
	} else if err != nil {
		return fmt.Errorf("deleting %s: %w", what, err)
	}
	if waitGone(ctx, c) == nil {
		return nil
	}
	err := c.Patch(ctx, config, client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"finalizers":null}}`)))
	if err != nil && !gone(err) {
		return fmt.Errorf("removing the finalizers of %s: %w", what, err)
	}
	if err := waitGone(ctx, c); err != nil {
		return fmt.Errorf("waiting until %s is deleted: %w", what, err)
	}
	return nil
}

func waitGone(ctx context.Context, c client.Client) error {
	return wait.PollUntilContextTimeout(ctx, 500*time.Millisecond, finalizerTimeout, true, func(ctx context.Context) (bool, error) {
		config := stored()
		err := c.Get(ctx, client.ObjectKeyFromObject(config), config)
		if gone(err) {
			return true, nil
		}
		return false, err
	})
}

func gone(err error) bool { return apierrors.IsNotFound(err) || meta.IsNoMatchError(err) }
