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
	err := deleteUntilGone(ctx, c)
	if wait.Interrupted(err) && ctx.Err() == nil {
		if err = c.Patch(ctx, config, client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"finalizers":null}}`))); err == nil {
			err = deleteUntilGone(ctx, c)
		}
	}
	if err != nil && !gone(err) {
		return fmt.Errorf("removing MCPExternalAuthConfig %s/%s: %w", config.GetNamespace(), config.GetName(), err)
	}
	return nil
}

func deleteUntilGone(ctx context.Context, c client.Client) error {
	return wait.PollUntilContextTimeout(ctx, 500*time.Millisecond, finalizerTimeout, true, func(ctx context.Context) (bool, error) {
		err := c.Delete(ctx, stored())
		if gone(err) {
			return true, nil
		}
		return false, err
	})
}

func gone(err error) bool { return apierrors.IsNotFound(err) || meta.IsNoMatchError(err) }
