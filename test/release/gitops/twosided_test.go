package gitops_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/argoproj/argo-cd/gitops-engine/pkg/cache"
	"github.com/argoproj/argo-cd/gitops-engine/pkg/engine"
	"github.com/argoproj/argo-cd/gitops-engine/pkg/sync"
	"github.com/argoproj/argo-cd/gitops-engine/pkg/sync/common"
	"github.com/fluxcd/pkg/ssa"
	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/scopegate/scopegate/internal/guard"
	"github.com/scopegate/scopegate/internal/testing/controlplane"
	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/internal/testing/sample"
	"github.com/scopegate/scopegate/internal/testing/testenv"
	"github.com/scopegate/scopegate/test/guard/setup"
)

var cluster *testenv.Cluster

func TestMain(m *testing.M) {
	crds, err := setup.LikeToolHive()
	if err != nil {
		panic(err)
	}
	testenv.Main(m, &cluster, controlplane.Options{Guard: true, CRDs: crds})
}

// tool applies the objects of a commit once, in the order that they have or in its
// own, and returns what it says.
type tool struct {
	apply func(t *testing.T, objects []*unstructured.Unstructured) (string, error)
	// dryRuns is set if the tool stores nothing before the API server has admitted all
	// objects by dry run.
	dryRuns bool
	// warns is set if the tool returns what its dry run warned of.
	warns bool
	// reversed has the consumer before its config.
	reversed bool
}

// tools are how commits reach a cluster.
var tools = map[string]tool{
	"Flux":                     {apply: flux, dryRuns: true},
	"Argo CD":                  {apply: argoCD},
	"kubectl":                  {apply: kubectl},
	"kubectl dry run":          {apply: kubectlWithDryRun, dryRuns: true, warns: true},
	"kubectl dry run reversed": {apply: kubectlWithDryRun, dryRuns: true, warns: true, reversed: true},
}

// flux applies as Flux's kustomize-controller does.
func flux(t *testing.T, objects []*unstructured.Unstructured) (string, error) {
	manager := ssa.NewResourceManager(cluster.WithoutWarnings(t), nil, ssa.Owner{Field: "kustomize-controller", Group: "kustomize.toolkit.fluxcd.io"})
	_, err := manager.ApplyAllStaged(t.Context(), objects, ssa.DefaultApplyOptions())
	return "", err
}

// argoCD syncs as Argo CD's application controller does. Its dry run asks no server.
func argoCD(t *testing.T, objects []*unstructured.Unstructured) (string, error) {
	namespace := objects[0].GetNamespace()
	cfg := rest.CopyConfig(cluster.Config)
	cfg.WarningHandlerWithContext = rest.NoWarnings{}
	live := cache.NewClusterCache(cfg, cache.SetNamespaces([]string{namespace}), cache.SetLogr(logr.Discard()))
	argo := engine.NewEngine(cfg, live, engine.WithLogr(logr.Discard()))
	stop, err := argo.Run()
	expect.NoError(t, err)
	defer stop()
	unmanaged := func(*cache.Resource) bool { return false }
	results, err := argo.Sync(t.Context(), objects, unmanaged, "revision", namespace, sync.WithLogr(logr.Discard()))
	for _, result := range results {
		if result.Status != common.ResultCodeSynced {
			err = errors.Join(err, errors.New(result.Message))
		}
	}
	return "", err
}

func kubectl(t *testing.T, objects []*unstructured.Unstructured) (string, error) {
	return runKubectl(t, objects)
}

func kubectlWithDryRun(t *testing.T, objects []*unstructured.Unstructured) (string, error) {
	printed, err := runKubectl(t, objects, "--dry-run=server")
	if err == nil {
		_, err = runKubectl(t, objects)
	}
	return printed, err
}

func runKubectl(t *testing.T, objects []*unstructured.Unstructured, flags ...string) (string, error) {
	t.Helper()
	var both strings.Builder
	for _, object := range objects {
		text, err := yaml.Marshal(object)
		expect.NoError(t, err)
		fmt.Fprintf(&both, "---\n%s", text)
	}
	stdout, stderr, err := cluster.Kubectl(t.Context(), strings.NewReader(both.String()), append([]string{"apply", "--server-side", "-f", "-"}, flags...)...)
	if err != nil {
		err = errors.New(stderr)
	}
	return stdout + stderr, err
}

// commits edit a config and its consumer at once. refusal is what the policy says
// that compares the one with what is stored of the other.
var commits = map[string]struct{ before, after, policy, refusal string }{
	"add": {"openid", "openid tools:read", guard.ConfigsForMCPServersPolicy, `MCPServer "web" does not support scope "tools:read": add it to its spec.oidcConfigRef.scopes, ` +
		`or remove it from spec.embeddedAuthServer.baselineClientScopes of MCPExternalAuthConfig "shared"`},
	"remove": {"openid tools:read", "openid", guard.ConsumersPolicy, `MCPServer "web" does not support scope "tools:read": add it to spec.oidcConfigRef.scopes, ` +
		`or remove it from spec.embeddedAuthServer.baselineClientScopes of MCPExternalAuthConfig "shared"`},
}

// TestTwoSidedCommit applies each commit by each tool, in each mode, beside the guard's
// manager. In the modes warn and enforce the first attempt succeeds. In the mode strict
// no tool that dry-runs everything first ever does; the others need more attempts.
func TestTwoSidedCommit(t *testing.T) {
	cluster.StartGuard(t)
	page := strings.Join(strings.Fields(expect.ReadFile(t, "../../../docs/how-to/gitops.md")), " ")
	tests := map[string]func(*testing.T){}
	for direction, commit := range commits {
		expect.Contains(t, page, commit.refusal)
		for _, mode := range guard.Modes[1:] {
			for name, tool := range tools {
				namespace, err := setup.Namespace(t.Context(), cluster.Client, guard.ModeOff)
				expect.NoError(t, err)
				before, after := pair(t, namespace, commit.before, tool.reversed), pair(t, namespace, commit.after, tool.reversed)
				_, err = tool.apply(t, before)
				expect.NoError(t, err)
				expect.NoError(t, setup.SetMode(t.Context(), cluster.Client, namespace, mode))
				tests[strings.Join([]string{direction, mode, name}, "/")] = func(t *testing.T) {
					said, err := tool.apply(t, after)
					switch {
					case mode != guard.ModeStrict:
						expect.NoError(t, err)
						converged(t, namespace, after)
						if tool.warns {
							expect.Contains(t, said, "Warning: Validation failed for ValidatingAdmissionPolicy '"+commit.policy+"' with binding '"+commit.policy+"-warn': "+commit.refusal)
						}
					case tool.dryRuns:
						for range 3 {
							expect.Error(t, err, "ValidatingAdmissionPolicy '"+commit.policy+"' with binding '"+commit.policy+"-deny' denied request: "+commit.refusal)
							_, err = tool.apply(t, after)
						}
						expect.Equal(t, "stored scopes", scopesOf(t, before), stored(t, namespace))
					default:
						// The config comes first. Its edit is refused only if it adds a scope.
						if direction == "add" {
							expect.Error(t, err, commit.refusal)
						}
						expect.Eventually(t, "an attempt succeeds", func(context.Context) (bool, error) {
							_, err = tool.apply(t, after)
							return err == nil, nil
						}, func() string { return fmt.Sprint(err) })
						converged(t, namespace, after)
					}
				}
			}
		}
	}
	expect.NoError(t, setup.Settle(t.Context(), cluster.Client))
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t)
		})
	}
}

// converged checks that a commit is stored, and waits until the manager and the
// policies on pods agree with it.
func converged(t *testing.T, namespace string, commit []*unstructured.Unstructured) {
	t.Helper()
	expect.Equal(t, "stored scopes", scopesOf(t, commit), stored(t, namespace))
	web := testenv.AwaitValid(t, cluster, sample.Server(namespace, "web", sample.AuthServerRef("shared")), "True")
	var err error
	expect.Eventually(t, "the API server creates a pod", func(ctx context.Context) (bool, error) {
		err = cluster.Client.Create(ctx, setup.Pod(web), client.DryRunAll)
		return err == nil, nil
	}, func() string { return fmt.Sprint(err) })
}

// pair returns a config and its consumer with the same scopes, without a status.
func pair(t *testing.T, namespace, scopes string, reversed bool) []*unstructured.Unstructured {
	t.Helper()
	list := strings.Fields(scopes)
	config, web := sample.Config(namespace, "shared", list...), sample.Server(namespace, "web", sample.AuthServerRef("shared", list...))
	objects := []*unstructured.Unstructured{sample.Unstructured(config), sample.Unstructured(web)}
	if reversed {
		objects[0], objects[1] = objects[1], objects[0]
	}
	return objects
}

func stored(t *testing.T, namespace string) map[string][]string {
	t.Helper()
	objects := pair(t, namespace, "", false)
	for _, object := range objects {
		expect.NoError(t, cluster.Client.Get(t.Context(), client.ObjectKeyFromObject(object), object))
	}
	return scopesOf(t, objects)
}

// scopesOf returns the baseline of the config and the scopes of its consumer.
func scopesOf(t *testing.T, objects []*unstructured.Unstructured) map[string][]string {
	t.Helper()
	scopes := map[string][]string{}
	for _, object := range objects {
		for _, path := range [][]string{{"spec", "embeddedAuthServer", "baselineClientScopes"}, {"spec", "oidcConfigRef", "scopes"}} {
			list, found, err := unstructured.NestedStringSlice(object.Object, path...)
			expect.NoError(t, err)
			if found {
				scopes[object.GetKind()] = list
			}
		}
	}
	return scopes
}
