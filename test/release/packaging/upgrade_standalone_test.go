package packaging_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/api/v1alpha1"
	"github.com/scopegate/scopegate/internal/kinds"
	"github.com/scopegate/scopegate/internal/testing/controlplane"
	"github.com/scopegate/scopegate/internal/testing/corpus"
	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/internal/testing/sample"
	"github.com/scopegate/scopegate/internal/testing/testenv"
	"github.com/scopegate/scopegate/test/release/packaging/setup"
)

// TestUpgradeStandalone upgrades standalone mode from a release whose CRDs have no
// rules, with objects that the rules reject, rolls it back, and upgrades it again.
func TestUpgradeStandalone(t *testing.T) {
	t.Parallel()
	previous, current := releases(t)
	cluster := testenv.StartForTest(t, controlplane.Options{Bare: true})
	withoutRules := dropRules(t, filepath.Join(previous.dist, "standalone.yaml"))
	namespace, cases := cluster.Namespace(t), corpus.Cases(t, setup.Root+"/test/testdata")
	apply := func(file string, rules bool) {
		t.Helper()
		kubectl(t, cluster, append(preflight, file)...)
		kubectl(t, cluster, append(standaloneApply, file)...)
		corpus.AwaitRules(t, cluster.WithoutWarnings(t), namespace, cases, rules)
	}
	apply(withoutRules, false)
	expect.NoError(t, cluster.StartControllers("garbage-collector-controller,namespace-controller", nil))
	rejected := storeForUpgrade(t, cluster, namespace, cases)
	manager := run(t, cluster, previous, "scopegate")
	manager.settle(t)
	rollOut(t, cluster, namespace)
	before := stateIn(t, cluster, namespace)
	if len(before.rollouts) < 6 || len(before.conditions) < len(rejected) {
		t.Fatalf("too little was evaluated: %v", before)
	}

	type step struct {
		what  string
		rules bool
		// next replaces the manager.
		next *release
		edit bool
	}
	steps := []step{{"the CRDs are upgraded", true, nil, true}, {"the manager is upgraded", true, &current, false}, {"rolled back", false, &previous, false}}
	if previous != current {
		// Otherwise it is what the first two steps did.
		steps = append(steps, step{"upgraded again", true, &current, true})
	}
	for i, step := range steps {
		file := withoutRules
		if step.rules {
			file = filepath.Join(current.dist, "standalone.yaml")
		}
		apply(file, step.rules)
		if step.next != nil {
			expect.NoError(t, manager.Stop())
			manager = run(t, cluster, *step.next, "scopegate")
			manager.settle(t)
		}
		if step.edit {
			for _, object := range rejected {
				editUnrelated(t, cluster, object, i+1)
			}
			awaitObserved(t, cluster, namespace)
		}
		before.expectSame(t, step.what, stateIn(t, cluster, namespace))
	}
	// Without their owners' kinds, the garbage collector keeps what it has not deleted yet.
	kubectl(t, cluster, "delete", "mcpservers,mcpremoteproxies,virtualmcpservers", "--all", "--all-namespaces")
	kubectl(t, cluster, "wait", "deployments,services", "--selector=app.kubernetes.io/managed-by=scopegate", "--all-namespaces", "--for=delete", "--timeout=5m")
	expect.NoError(t, manager.Stop())
	kubectl(t, cluster, "delete", "-f", filepath.Join(current.dist, "standalone.yaml"))
	var remains []string
	var err error
	expect.Eventually(t, "nothing is left", func(context.Context) (bool, error) {
		// It fails while the API server still lists a kind that it no longer serves.
		remains, err = left(t, cluster)
		return err == nil && len(remains) == 0, nil
	}, func() string { return fmt.Sprintf("left: %q, %v", remains, err) })
	if !t.Failed() {
		t.Logf("R9: standalone: %d objects that the rules reject: 0 spurious rollouts of %d Deployments and Services, 0 of %d conditions lost, 0 objects left",
			len(rejected), len(before.rollouts), len(before.conditions))
	}
}

// dropRules writes a manifest without the rules of its CRDs to a file, and returns its
// path.
func dropRules(t *testing.T, path string) string {
	t.Helper()
	objects, err := setup.DecodeFile(path)
	expect.NoError(t, err)
	var file strings.Builder
	for _, object := range objects {
		if object.GetKind() == "CustomResourceDefinition" {
			corpus.Weaken(object.Object, "x-kubernetes-validations")
		}
		file.WriteString(text(t, object.Object) + "\n---\n")
	}
	edited := filepath.Join(t.TempDir(), "standalone.yaml")
	expect.WriteFile(t, edited, file.String())
	return edited
}

// storeForUpgrade stores consumers of every kind with each verdict, and the objects
// that the rules reject. It returns the latter.
func storeForUpgrade(t *testing.T, cluster *testenv.Cluster, namespace string, cases []corpus.Case) (rejected []*unstructured.Unstructured) {
	t.Helper()
	good, bad, later := sample.AuthServerRef("good", "openid"), sample.AuthServerRef("bad", "openid"), sample.AuthServerRef("later", "openid")
	cluster.Create(t, sample.OIDCConfig(namespace, "oidc"),
		sample.Config(namespace, "good", "openid"), sample.Config(namespace, "bad", "admin"), sample.Config(namespace, "unreferenced", "openid"),
		sample.Server(namespace, "good", good), sample.Server(namespace, "bad", bad), sample.Server(namespace, "unresolved", later),
		sample.Proxy(namespace, "good", good), sample.Proxy(namespace, "bad", bad), sample.Proxy(namespace, "unresolved", later),
		sample.Virtual(namespace, "good", sample.AuthServer("openid"), "openid"), sample.Virtual(namespace, "bad", sample.AuthServer("admin")))
	for i, c := range cases {
		if !c.Accept {
			object := corpus.As(c.Object, "v1beta1", namespace, fmt.Sprintf("case-%d", i))
			err := cluster.Client.Create(t.Context(), object)
			if apierrors.IsInvalid(err) && os.Getenv(previousVariable) != "" {
				t.Logf("the previous release has no such object: %v", err)
				continue
			}
			expect.NoError(t, err)
			rejected = append(rejected, object)
		}
	}
	return rejected
}

// rollOut plays the controller of Deployments, until no rollout is in progress.
func rollOut(t *testing.T, cluster *testenv.Cluster, namespace string) {
	t.Helper()
	for _, d := range itemsOf[*appsv1.Deployment](t, cluster, &appsv1.DeploymentList{}, namespace) {
		cluster.Get(t, d)
		d.Status = appsv1.DeploymentStatus{ObservedGeneration: d.Generation, Replicas: 1, UpdatedReplicas: 1, ReadyReplicas: 1, AvailableReplicas: 1}
		expect.NoError(t, cluster.Client.Status().Update(t.Context(), d))
	}
	for _, objects := range all(t, cluster, namespace) {
		for _, object := range objects {
			testenv.Await(t, cluster.Client, object, "is rolled out or held", func(seen kinds.Object) bool {
				return testenv.Condition(seen.GetStatus().Conditions, v1alpha1.ConditionReady).Reason != v1alpha1.ReasonRollingOut
			})
		}
	}
}

// editUnrelated edits what no rule reads of an object.
func editUnrelated(t *testing.T, cluster *testenv.Cluster, object *unstructured.Unstructured, number int) {
	t.Helper()
	patch := fmt.Sprintf(`{"metadata":{"labels":{"step":"%d"},"annotations":{"step":"%d"}}}`, number, number)
	if object.GetKind() == "VirtualMCPServer" {
		patch = fmt.Sprintf(`{"metadata":{"labels":{"step":"%d"}},"spec":{"replicas":%d}}`, number, number)
	}
	if err := cluster.Client.Patch(t.Context(), object, client.RawPatch("application/merge-patch+json", []byte(patch))); err != nil {
		t.Errorf("editing what no rule reads: %v", err)
	}
}

// awaitObserved waits until each object has a status of its last edit.
func awaitObserved(t *testing.T, cluster *testenv.Cluster, namespace string) {
	t.Helper()
	expect.Eventually(t, "every last edit is evaluated", func(context.Context) (bool, error) {
		for _, objects := range all(t, cluster, namespace) {
			for _, object := range objects {
				if object.GetStatus().ObservedGeneration != object.GetGeneration() {
					return false, nil
				}
			}
		}
		return true, nil
	})
}
