package manager_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/internal/guard"
	"github.com/scopegate/scopegate/internal/guard/canary"
	"github.com/scopegate/scopegate/internal/guard/cleanup"
	"github.com/scopegate/scopegate/internal/kinds"
	"github.com/scopegate/scopegate/internal/operator"
	"github.com/scopegate/scopegate/internal/testing/controlplane"
	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/internal/testing/sample"
	"github.com/scopegate/scopegate/internal/testing/testenv"
)

func newCleanup(t *testing.T, output *strings.Builder) *cleanup.Cleanup {
	t.Helper()
	c, err := client.NewWithWatch(cluster.ManagerConfig(), client.Options{Scheme: operator.Scheme})
	expect.NoError(t, err)
	// Small pages, so that there are several.
	paged := interceptor.NewClient(c, interceptor.Funcs{List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, options ...client.ListOption) error {
		return c.List(ctx, list, append(options, client.Limit(2))...)
	}})
	return &cleanup.Cleanup{Client: paged, OwnNamespace: controlplane.Namespace, Lease: operator.GuardLease, Timeout: time.Minute, Output: output}
}

// TestCleanup removes the condition from all four kinds, although ToolHive's
// operator meanwhile writes it back from an old copy, and what the check stored.
func TestCleanup(t *testing.T) {
	namespace := cluster.Namespace(t)
	config := sample.Config(namespace, "shared", "admin")
	server := sample.Server(namespace, "web", sample.AuthServerRef("shared", "openid"))
	proxy := sample.Proxy(namespace, "remote", sample.AuthServerRef("shared", "openid"))
	virtual := sample.Virtual(namespace, "virtual", sample.AuthServer("admin"), "openid")
	// Nobody else removes the finalizer that ToolHive's operator adds.
	stored := storeFinalized(t)
	cluster.Create(t, config, server, proxy, virtual)
	for i := range 3 {
		cluster.Create(t, sample.Config(namespace, fmt.Sprintf("unused-%d", i), "openid"))
	}
	manager := cluster.StartGuard(t)
	testenv.AwaitValid(t, cluster, config, notSupported)
	testenv.AwaitValid(t, cluster, server, notSupported)
	testenv.AwaitValid(t, cluster, proxy, notSupported)
	evaluated := testenv.AwaitValid(t, cluster, virtual, notSupported)
	expect.NoError(t, manager.Stop())
	foreign := sample.Config(namespace, "unused-0", "openid")
	writeAll(t, foreign, condition("BaselineScopesValid", "AllGood"))
	stale := append([]metav1.Condition{condition("Ready", "Running")}, evaluated.Status.Conditions...)

	var output strings.Builder
	done := make(chan error, 1)
	cleaner := newCleanup(t, &output)
	// So that it counts nothing of other tests.
	cleaner.Namespaces = []string{namespace}
	// At first this kind is not installed. Another comes after it.
	var installed atomic.Bool
	cleaner.Client = interceptor.NewClient(cleaner.Client.(client.WithWatch), interceptor.Funcs{List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, options ...client.ListOption) error {
		if _, is := list.(*v1beta1.MCPRemoteProxyList); is && !installed.Load() {
			return &meta.NoKindMatchError{}
		}
		return c.List(ctx, list, options...)
	}})
	go func() { done <- cleaner.Run(t.Context()) }()
	await(t, virtual, "is cleaned", func(c metav1.Condition) bool { return c.Type == "" })
	writeAll(t, virtual, stale...)
	installed.Store(true)
	expect.NoError(t, <-done)
	testenv.AwaitGone(t, cluster.Client, stored)
	for _, object := range []kinds.Object{config, server, proxy, virtual} {
		cluster.Get(t, object)
		expect.Equal(t, "the condition of "+object.GetName(), metav1.Condition{}, testenv.Valid(object))
	}
	cluster.Get(t, foreign)
	expect.Equal(t, "somebody else's condition", "AllGood", testenv.Valid(foreign).Reason)
	expect.Equal(t, "reason of ToolHive's condition", "Running", testenv.Condition(virtual.Status.Conditions, "Ready").Reason)
	// It removed the condition of the VirtualMCPServer twice.
	expect.Equal(t, "output", `removed the condition BaselineScopesValid from 7 objects
4 of them were False: without the condition, the pods that the guard refused are created, and their auth servers do not start
none came back within 10s: the guard's manifest can be deleted now
`, output.String())
}

// TestCleanupGivesUp lets a manager run whose lease the cleanup does not know.
func TestCleanupGivesUp(t *testing.T) {
	cluster.StartGuard(t)
	var output strings.Builder
	c := newCleanup(t, &output)
	c.Namespaces, c.Timeout = []string{cluster.Namespace(t)}, 3*time.Second
	cluster.Create(t, sample.Config(c.Namespaces[0], "unused", "openid"))
	expect.Error(t, c.Run(t.Context()), fmt.Sprintf("after 3s, conditions BaselineScopesValid are still there or come back, the last one of MCPExternalAuthConfig %s/unused: does another manager write it", c.Namespaces[0]))
	if strings.Contains(output.String(), "can be deleted now") {
		t.Errorf("it says that it is done:\n%s", &output)
	}
}

// storeFinalized stores the config of the check, with the finalizer that ToolHive's
// operator adds.
func storeFinalized(t *testing.T) *v1beta1.MCPExternalAuthConfig {
	t.Helper()
	config := sample.Config(guard.CanaryNamespace, canary.Name)
	expect.NoError(t, client.IgnoreAlreadyExists(cluster.Client.Create(t.Context(), config)))
	cluster.Patch(t, config, `{"metadata":{"finalizers":["mcpexternalauthconfig.toolhive.stacklok.dev/finalizer"]}}`)
	return config
}

// TestRemoveWaitsForToolHive lets ToolHive's operator remove its finalizer, which
// makes the removal complete. To remove what is gone is no error.
func TestRemoveWaitsForToolHive(t *testing.T) {
	stored := storeFinalized(t)
	c := newCleanup(t, nil).Client
	done := make(chan error, 1)
	go func() { done <- canary.Remove(t.Context(), c) }()
	testenv.Await(t, cluster.Client, stored, "is being deleted", func(c *v1beta1.MCPExternalAuthConfig) bool { return c.DeletionTimestamp != nil })
	select {
	case err := <-done:
		t.Errorf("it did not wait: %v", err)
	default:
	}
	cluster.Patch(t, stored, `{"metadata":{"finalizers":null}}`)
	expect.NoError(t, <-done)
	testenv.AwaitGone(t, cluster.Client, stored)
	expect.NoError(t, canary.Remove(t.Context(), c))
}

// TestCleanupRefusesWhileAManagerRuns holds the lease as a manager does.
func TestCleanupRefusesWhileAManagerRuns(t *testing.T) {
	held := &coordinationv1.Lease{
		ObjectMeta: metav1.ObjectMeta{Namespace: controlplane.Namespace, Name: operator.GuardLease},
		Spec:       coordinationv1.LeaseSpec{HolderIdentity: ptr.To("pod-1"), LeaseDurationSeconds: ptr.To[int32](15), RenewTime: ptr.To(metav1.NowMicro())},
	}
	cluster.Create(t, held)
	err := newCleanup(t, &strings.Builder{}).Run(t.Context())
	if want := fmt.Sprintf("%v (pod-1 holds Lease %s/%s) and would write every condition again: first run kubectl -n %[2]s scale deployment scopegate-guard --replicas=0",
		cleanup.ErrRunning, controlplane.Namespace, operator.GuardLease); !errors.Is(err, cleanup.ErrRunning) || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	cluster.Delete(t, held)
}
