// Package cleanup removes the guard's condition from every object, so that
// nothing of it remains when its manifest is deleted.
package cleanup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/tools/pager"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/internal/guard/canary"
	"github.com/scopegate/scopegate/internal/guard/writer"
	"github.com/scopegate/scopegate/internal/kinds"
	"github.com/scopegate/scopegate/internal/resolve"
)

// quiet is how long no condition may appear before the cleanup is done:
// ToolHive's operator may still write back a list that it read before.
const quiet = 10 * time.Second

// pageSize is how many objects are read at a time. An object has up to 1.5 MiB.
const pageSize = 20

// Cleanup removes what the guard's manager wrote.
type Cleanup struct {
	Client client.Client
	// Namespaces are the namespaces that the guard watched; all if empty.
	Namespaces []string
	// OwnNamespace is the namespace of the guard, and Lease the name of its lease
	// there.
	OwnNamespace, Lease string
	// Timeout limits the removal of conditions.
	Timeout time.Duration
	// Output receives a report of what is removed.
	Output io.Writer
}

// ErrRunning means that a manager is running, which would write every condition
// again.
var ErrRunning = errors.New("the guard's manager is still running")

// Run removes the conditions, waits until none comes back, and removes what the
// check stored. It does not change workloads or policies.
func (c *Cleanup) Run(ctx context.Context) error {
	if err := c.refuseIfRunning(ctx); err != nil {
		return err
	}
	refusals, removed, err := c.removeUntilQuiet(ctx)
	c.say("removed the condition %s from %d objects\n", writer.Type, removed)
	c.say("%d of them were False: without the condition, the pods that the guard refused are created, and their auth servers do not start\n", refusals)
	if err != nil {
		return err
	}
	if err := canary.Remove(ctx, c.Client); err != nil {
		return err
	}
	c.say("none came back within %s: the guard's manifest can be deleted now\n", quiet)
	return nil
}

func (c *Cleanup) say(format string, arguments ...any) {
	// The exit status reports the result too, so a write error does not matter.
	_, _ = fmt.Fprintf(c.Output, format, arguments...)
}

func (c *Cleanup) refuseIfRunning(ctx context.Context) error {
	lease := &coordinationv1.Lease{}
	err := c.Client.Get(ctx, client.ObjectKey{Namespace: c.OwnNamespace, Name: c.Lease}, lease)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading Lease %s/%s: %w", c.OwnNamespace, c.Lease, err)
	}
	if holder := holderOf(lease.Spec, time.Now()); holder != "" {
		return fmt.Errorf("%w (%s holds Lease %s/%s) and would write every condition again: "+
			"first run kubectl -n %s scale deployment scopegate-guard --replicas=0",
			ErrRunning, holder, c.OwnNamespace, c.Lease, c.OwnNamespace)
	}
	return nil
}

// holderOf returns who holds a lease at a time, or "".
func holderOf(lease coordinationv1.LeaseSpec, now time.Time) string {
	renewed := ptr.Deref(lease.RenewTime, metav1.MicroTime{})
	if now.After(renewed.Add(time.Duration(ptr.Deref(lease.LeaseDurationSeconds, 0)) * time.Second)) {
		return ""
	}
	return ptr.Deref(lease.HolderIdentity, "")
}

// removeUntilQuiet returns how many conditions it removed, and how many of these were
// False on a consumer.
func (c *Cleanup) removeUntilQuiet(ctx context.Context) (refusals, removed int, err error) {
	lastSeen, last := time.Now(), ""
	err = wait.PollUntilContextTimeout(ctx, time.Second, c.Timeout, true, func(ctx context.Context) (bool, error) {
		err := c.each(ctx, func(kind string, object kinds.Object) error {
			found := meta.FindStatusCondition(object.GetStatus().Conditions, writer.Type)
			if found == nil || writer.Foreign(found) {
				return nil
			}
			lastSeen, last = time.Now(), fmt.Sprintf("%s %s/%s", kind, object.GetNamespace(), object.GetName())
			changed, err := writer.Remove(ctx, c.Client, object)
			if err != nil {
				return fmt.Errorf("removing the condition of %s %s/%s: %w", kind, object.GetNamespace(), object.GetName(), err)
			}
			if changed {
				removed++
				if found.Status == metav1.ConditionFalse && kind != resolve.KindMCPExternalAuthConfig {
					refusals++
				}
			}
			return nil
		})
		return err == nil && time.Since(lastSeen) >= quiet, err
	})
	if wait.Interrupted(err) && ctx.Err() == nil {
		err = fmt.Errorf("after %s, conditions %s are still there or come back, the last one of %s: does another manager write it, or an admission webhook reject its removal?",
			c.Timeout, writer.Type, last)
	}
	return refusals, removed, err
}

// each calls do for every object of the four kinds. It skips a kind that is not
// installed.
func (c *Cleanup) each(ctx context.Context, do func(kind string, object kinds.Object) error) error {
	namespaces := c.Namespaces
	if len(namespaces) == 0 {
		namespaces = []string{metav1.NamespaceAll}
	}
	for _, namespace := range namespaces {
		for _, kind := range kinds.All {
			page := func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
				list := kind.EmptyList()
				return list, c.Client.List(ctx, list, client.InNamespace(namespace), client.Limit(options.Limit), client.Continue(options.Continue))
			}
			pages := pager.New(page)
			pages.PageSize, pages.PageBufferSize = pageSize, 0
			err := pages.EachListItem(ctx, metav1.ListOptions{}, func(object runtime.Object) error {
				return do(kind.Name, object.(kinds.Object))
			})
			if err != nil && !meta.IsNoMatchError(err) && !apierrors.IsNotFound(err) {
				return fmt.Errorf("cleaning up every %s: %w", kind.Name, err)
			}
		}
	}
	return nil
}
