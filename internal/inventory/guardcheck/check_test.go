package guardcheck_test

import (
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/scopegate/scopegate/api/v1alpha1"
	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/internal/guard"
	"github.com/scopegate/scopegate/internal/inventory"
	"github.com/scopegate/scopegate/internal/inventory/guardcheck"
	"github.com/scopegate/scopegate/internal/resolve"
	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/internal/testing/sample"
)

const ns = "ns"

// TestModes checks the findings on a server with a baseline that is not supported,
// by what is installed and by the label of the namespace.
func TestModes(t *testing.T) {
	installed := func(mode string) *inventory.Installed {
		return &inventory.Installed{Policies: guard.PolicyNames, Mode: mode}
	}
	absent := &inventory.Installed{Mode: inventory.ModeNone}
	unlabelled := labels.Set{}
	labelled := func(mode string) labels.Set { return labels.Set{guard.ModeLabel: mode} }
	for name, c := range map[string]struct {
		guard *inventory.Installed
		// labels of the namespace, nil if they can't be read.
		labels labels.Set
		mode   string
		// others are the rules of the findings besides pair/not-supported.
		others []string
	}{
		"not installed":                     {absent, unlabelled, "none", nil},
		"not installed, labelled":           {absent, labelled("strict"), "none", nil},
		"not installed, off":                {absent, labelled("off"), "none", []string{"guard/off"}},
		"not installed, not a mode":         {absent, labelled("deny"), "none", []string{"guard/unknown-mode"}},
		"not installed, labels not read":    {absent, nil, "none", nil},
		"default":                           {installed("warn"), unlabelled, "warn", nil},
		"another default":                   {installed("enforce"), unlabelled, "enforce", nil},
		"stricter by label":                 {installed("warn"), labelled("strict"), "strict", nil},
		"more lenient by label":             {installed("strict"), labelled("enforce"), "enforce", nil},
		"off by label":                      {installed("strict"), labelled("off"), "off", []string{"guard/off"}},
		"a mode of before":                  {installed("strict"), labelled("deny"), "strict", []string{"guard/unknown-mode"}},
		"in upper case":                     {installed("warn"), labelled("Enforce"), "warn", []string{"guard/unknown-mode"}},
		"empty label":                       {installed("warn"), labelled(""), "warn", []string{"guard/unknown-mode"}},
		"labels not read":                   {installed("warn"), nil, "unknown", nil},
		"bindings not read":                 {nil, unlabelled, "unknown", nil},
		"bindings not read, but off":        {nil, labelled("off"), "unknown", []string{"guard/off"}},
		"bindings not read, but not a mode": {nil, labelled("deny"), "unknown", []string{"guard/unknown-mode"}},
	} {
		t.Run(name, func(t *testing.T) {
			namespaces := map[string]labels.Set{"other": labelled("off")}
			if c.labels != nil {
				namespaces[ns] = c.labels
			}
			consumer, _ := resolve.ConsumerOf(sample.Server(ns, "web", sample.AuthServerRef("shared")))
			report := guardcheck.Run(&inventory.Snapshot{
				Mode:      inventory.Guard,
				Configs:   []*v1beta1.MCPExternalAuthConfig{sample.Config(ns, "shared", "admin")},
				Consumers: []*inventory.Consumer{{Consumer: consumer, Status: &v1alpha1.Status{}}},
			}, inventory.Installation{Guard: c.guard, Namespaces: namespaces})
			var others []string
			for _, finding := range report.Findings {
				if finding.Rule != "pair/not-supported" {
					others = append(others, finding.Rule)
				}
				expect.Equal(t, "mode of "+finding.Rule, c.mode, finding.Mode)
			}
			expect.Equal(t, "other rules", c.others, others)
			_, modes, _ := strings.Cut(report.Text(), "1 not supported, 0 unresolved\n")
			expect.Equal(t, "the modes in the text", "pairs in mode "+c.mode+": 1\n", modes)
			expect.Equal(t, "summary", guardcheck.Summary{Pairs: 1, NotSupported: 1, Modes: map[string]int{c.mode: 1}}, report.Summary)
			if len(report.Findings) != len(others)+1 {
				t.Errorf("got %v, want pair/not-supported once", report.Findings)
			}
		})
	}
}

// TestGitOps warns of mode strict, once for each namespace whose objects a GitOps tool
// manages, whether it is the first manager or not.
func TestGitOps(t *testing.T) {
	modes := map[string]labels.Set{"flux": {guard.ModeLabel: guard.ModeStrict}, "people": {guard.ModeLabel: guard.ModeStrict}, "argo": {}, "consumers": {guard.ModeLabel: guard.ModeStrict}}
	for name, before := range map[string][]metav1.ManagedFieldsEntry{"first": nil, "second": {{Manager: "thv-operator"}}} {
		t.Run(name, func(t *testing.T) {
			snapshot := &inventory.Snapshot{Mode: inventory.Guard}
			for namespace, manager := range map[string]string{"flux": "kustomize-controller", "people": "kubectl-edit", "argo": "argocd-controller"} {
				config := sample.Config(namespace, "shared")
				config.ManagedFields = append(slices.Clone(before), metav1.ManagedFieldsEntry{Manager: manager}, metav1.ManagedFieldsEntry{Manager: "kubectl"})
				consumer, _ := resolve.ConsumerOf(sample.Server(namespace, "web", sample.AuthServerRef("shared")))
				snapshot.Configs = append(snapshot.Configs, config)
				snapshot.Consumers = append(snapshot.Consumers, &inventory.Consumer{Consumer: consumer, ManagedFields: config.ManagedFields, Status: &v1alpha1.Status{}})
			}
			// Here the tool manages the consumer alone.
			alone, _ := resolve.ConsumerOf(sample.Server("consumers", "web", sample.AuthServerRef("shared")))
			snapshot.Configs = append(snapshot.Configs, sample.Config("consumers", "shared"))
			snapshot.Consumers = append(snapshot.Consumers, &inventory.Consumer{Consumer: alone, Status: &v1alpha1.Status{},
				ManagedFields: append(slices.Clone(before), metav1.ManagedFieldsEntry{Manager: "argocd-controller"})})
			report := guardcheck.Run(snapshot, inventory.Installation{
				Guard: &inventory.Installed{Policies: guard.PolicyNames, Mode: guard.ModeWarn}, Namespaces: modes,
			})
			expect.Equal(t, "", []guardcheck.Finding{{
				Rule: "guard/strict-gitops", Severity: guardcheck.Warning, Object: guardcheck.Object{Kind: "Namespace", Name: "consumers"}, Mode: guard.ModeStrict,
				Message: `mode strict rejects correct commits of several objects, and "argocd-controller" manages MCPServer consumers/web: use mode enforce where a GitOps tool applies`,
			}, {
				Rule: "guard/strict-gitops", Severity: guardcheck.Warning, Object: guardcheck.Object{Kind: "Namespace", Name: "flux"}, Mode: guard.ModeStrict,
				Message: `mode strict rejects correct commits of several objects, and "kustomize-controller" manages MCPExternalAuthConfig flux/shared: use mode enforce where a GitOps tool applies`,
			}}, report.Findings)
		})
	}
}

// TestGitOpsTools warns of each of the tools.
func TestGitOpsTools(t *testing.T) {
	for _, manager := range []string{"argocd-controller", "argocd-application-controller", "kustomize-controller", "helm-controller"} {
		config := sample.Config(ns, "shared")
		config.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: manager}}
		report := guardcheck.Run(&inventory.Snapshot{Mode: inventory.Guard, Configs: []*v1beta1.MCPExternalAuthConfig{config}}, inventory.Installation{
			Guard: &inventory.Installed{Policies: guard.PolicyNames, Mode: guard.ModeStrict}, Namespaces: map[string]labels.Set{ns: {}},
		})
		expect.Contains(t, report.Text(), "guard/strict-gitops", manager)
	}
}

func TestEmpty(t *testing.T) {
	for namespace, want := range map[string]string{
		"":     "no namespace has a consumer with an auth server\n",
		"team": "namespace \"team\" has no consumer with an auth server; -A checks all namespaces\n",
	} {
		report := guardcheck.Run(&inventory.Snapshot{Namespace: namespace}, inventory.Installation{})
		expect.Contains(t, report.Text(), want)
		if report.Findings == nil {
			t.Error("in JSON, no findings are null instead of an empty list")
		}
	}
}
