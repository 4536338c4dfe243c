package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/api/v1alpha1"
	"github.com/scopegate/scopegate/internal/guard"
	"github.com/scopegate/scopegate/internal/kinds"
	"github.com/scopegate/scopegate/internal/testing/controlplane"
	"github.com/scopegate/scopegate/internal/testing/sample"
	"github.com/scopegate/scopegate/test/guard/setup"
)

const (
	// bulk is the size in bytes of each object of the hostile tenant, of which there are
	// hostile of each kind. Of the consumers, one in ten has a list of longList scopes.
	bulk, hostile, longList = 32 << 10, 200, 50_000
	// memoryLimit is the limit of the guard's Deployment, in bytes.
	memoryLimit = 512 << 20
)

// tenantBench is R16: a tenant who may do anything in its own namespace tries to harm the
// manager, and what it reports of others.
func tenantBench(ctx context.Context) {
	folder := must(os.MkdirTemp("", "scopegate-bench-"))
	defer os.RemoveAll(folder) //nolint:errcheck // A folder of temporary files.
	plane, admin := startPlane(ctx, controlplane.Options{Guard: true, CRDs: toolHiveCRDs()})
	defer stop(plane.Stop)
	victim := must(setup.Namespace(ctx, admin, guard.ModeWarn))
	bad := sample.Config(victim, "bad", "admin")
	for _, object := range []client.Object{
		bad, sample.Server(victim, "api", sample.AuthServerRef("bad", "openid")),
		sample.Config(victim, "good", "openid"), sample.Server(victim, "web", sample.AuthServerRef("good", "openid")),
	} {
		check(admin.Create(ctx, object))
	}
	result := newTable(fmt.Sprintf("A hostile tenant: %d objects of each kind, of %d KiB each, and lists of %d scopes", hostile, bulk>>10, longList), "memory", "limit", "changes for others")
	manager := startManager(ctx, plane, folder)
	settle(ctx)
	before := seenBy(ctx, admin, victim)
	// The guard is off meanwhile, because its policies would look at every object at each
	// create.
	attack(ctx, admin, namespace)
	check(setup.SetMode(ctx, admin, namespace, guard.ModeStrict))
	settle(ctx)
	row := func(name string, manager *exec.Cmd) {
		changes := strings.Count(cmp.Diff(before, seenBy(ctx, admin, victim)), "\n")
		check(end(manager))
		// Linux counts in KiB.
		memory := manager.ProcessState.SysUsage().(*syscall.Rusage).Maxrss >> 10
		result.row(name, fmt.Sprintf("%d MiB", memory), fmt.Sprintf("%d MiB", memoryLimit>>20), fmt.Sprint(changes))
	}
	row("a manager that watches", manager)
	manager = startManager(ctx, plane, folder)
	settle(ctx)
	row("a manager that starts", manager)
	result.print()
}

// seenBy returns what an administrator sees of a namespace: the statuses of its objects,
// and the manager's metrics of them.
func seenBy(ctx context.Context, admin client.Client, namespace string) []string {
	var seen []string
	for _, kind := range kinds.All {
		list := kind.EmptyList()
		check(admin.List(ctx, list, client.InNamespace(namespace)))
		check(meta.EachListItem(list, func(object runtime.Object) error {
			seen = append(seen, fmt.Sprintf("%+v", object.(kinds.Object).GetStatus()))
			return nil
		}))
	}
	for line := range strings.Lines(scrape(ctx)) {
		if strings.Contains(line, namespace) {
			seen = append(seen, line)
		}
	}
	return seen
}

// attack fills a namespace with what the tenant thinks of.
func attack(ctx context.Context, c client.Client, namespace string) {
	progress("the tenant creates %d objects of each kind", hostile)
	blob := map[string]string{"example.com/bulk": strings.Repeat("x", bulk)}
	many := sample.Many("scope", longList)
	inParallel(ctx, hostile, func(ctx context.Context, i int) error {
		name := fmt.Sprintf("large-%d", i)
		scopes := many[:1]
		if i%10 == 0 {
			scopes = many
		}
		consumer := sample.Server(namespace, name, sample.AuthServerRef("large-0", scopes...))
		pod := setup.Pod(consumer)
		pod.Labels["app.kubernetes.io/managed-by"] = "scopegate"
		for _, object := range []client.Object{
			&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: pod.Labels}}, pod,
			sample.Config(namespace, name, "admin"), consumer,
			sample.Proxy(namespace, name, sample.AuthServerRef("large-0", scopes...)),
			sample.Virtual(namespace, name, sample.AuthServer("admin"), scopes...),
		} {
			object.SetAnnotations(blob)
			if err := c.Create(ctx, object); err != nil {
				return err
			}
			if reported, ok := object.(kinds.Object); ok {
				// Trust is the reason of no writer that the guard knows.
				falsehood := fmt.Appendf(nil, `{"status":{"conditions":[{"type":"BaselineScopesValid","status":"True","reason":%q,"message":%q,"lastTransitionTime":"2026-01-01T00:00:00Z"}]}}`,
					[]string{v1alpha1.ReasonBaselineScopesSupported, "Trust"}[i%2], strings.Repeat("x", 32<<10))
				if err := c.Status().Patch(ctx, reported, client.RawPatch("application/merge-patch+json", falsehood)); err != nil {
					return err
				}
			}
		}
		return nil
	})
}
