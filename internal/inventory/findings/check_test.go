package findings_test

import (
	"slices"
	"testing"

	"k8s.io/apimachinery/pkg/labels"

	"github.com/scopegate/scopegate/api/v1alpha1"
	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/internal/guard"
	"github.com/scopegate/scopegate/internal/inventory"
	"github.com/scopegate/scopegate/internal/inventory/findings"
	"github.com/scopegate/scopegate/internal/resolve"
	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/internal/testing/testenv"
	"github.com/scopegate/scopegate/internal/toolhive"
)

const ns = "ns"

func selectors(t *testing.T, selector string) inventory.Selectors {
	t.Helper()
	parsed, err := labels.Parse(selector)
	expect.NoError(t, err)
	return inventory.Selectors{parsed}
}

// TestFindings checks the findings on a server with a baseline that is not
// supported. They depend on how the guard is installed and on the stored run
// config.
func TestFindings(t *testing.T) {
	const labelledDeny, allButOff = "scopegate.dev/guard in (deny)", "scopegate.dev/guard notin (off, warn)"
	policies := inventory.Installed{Policies: guard.ValidatingPolicies}
	warns := inventory.Installation{Installed: policies, Denies: selectors(t, labelledDeny), Holds: selectors(t, labelledDeny)}
	denies := warns
	denies.Denies, denies.Holds = selectors(t, allButOff), selectors(t, allButOff)
	deniesWithoutHold := denies
	deniesWithoutHold.Holds = selectors(t, labelledDeny)
	labelled := func(installed inventory.Installation, mode string) inventory.Installation {
		installed.Namespaces = map[string]labels.Set{ns: {guard.ModeLabel: mode}, "other": {guard.ModeLabel: guard.ModeOff}}
		return installed
	}
	stored := func(missing ...string) []toolhive.AuthServer {
		return []toolhive.AuthServer{{Key: toolhive.RunConfigKey, Baseline: []string{"a"}, Missing: missing, InLayout: true}}
	}
	good := []inventory.RunConfig{{Name: "web-runconfig", Servers: stored()}}
	bad := []inventory.RunConfig{{Name: "web-runconfig", Servers: stored("a")}}
	held := []inventory.RunConfig{{Name: "web-runconfig", Servers: stored(), Held: true}}
	withoutAuthServer := []inventory.RunConfig{{Name: "web-runconfig"}}
	byHand := []inventory.RunConfig{{Name: "web-runconfig", Servers: stored()}}
	byHand[0].Servers[0].InLayout = false
	shared, outgoing := testenv.AuthServerRef("shared"), testenv.AuthServerRef("shared")
	outgoing.ExternalAuthConfigRef = testenv.ExternalAuthConfigRef("outgoing").ExternalAuthConfigRef

	for name, c := range map[string]struct {
		installed  inventory.Installation
		references v1alpha1.AuthReferences
		runConfigs []inventory.RunConfig
		want       []string
		deny       []string
	}{
		"no guard":                     {inventory.Installation{}, shared, nil, []string{"pair/not-supported"}, nil},
		"warns":                        {warns, shared, nil, []string{"pair/not-supported"}, []string{"edit-rejected", "run-config-rejected"}},
		"warns, and runs":              {warns, shared, good, []string{"pair/not-supported"}, []string{"edit-rejected", "run-config-held"}},
		"warns, and is bad":            {warns, shared, bad, []string{"pair/not-supported", "stored/not-supported"}, []string{"edit-rejected"}},
		"no auth server yet":           {warns, shared, withoutAuthServer, []string{"pair/not-supported"}, []string{"edit-rejected", "run-config-held"}},
		"in another layout":            {warns, shared, byHand, []string{"pair/not-supported", "stored/not-in-layout"}, []string{"edit-rejected"}},
		"two references":               {warns, outgoing, good, []string{"pair/not-supported"}, []string{"run-config-held"}},
		"no hold":                      {inventory.Installation{Installed: policies, Denies: warns.Denies}, shared, good, []string{"pair/not-supported"}, []string{"edit-rejected"}},
		"warns by label":               {labelled(denies, guard.ModeWarn), shared, good, []string{"pair/not-supported"}, []string{"edit-rejected", "run-config-held"}},
		"off by label":                 {labelled(denies, guard.ModeOff), shared, good, []string{"guard/off", "pair/not-supported"}, nil},
		"off without a guard":          {labelled(inventory.Installation{}, guard.ModeOff), shared, nil, []string{"guard/off", "pair/not-supported"}, nil},
		"denies by label":              {labelled(warns, guard.ModeDeny), shared, nil, []string{"guard/released", "pair/not-supported"}, []string{"edit-rejected", "run-config-rejected"}},
		"denies":                       {denies, shared, good, []string{"guard/released", "pair/not-supported"}, []string{"edit-rejected", "run-config-held"}},
		"denies, and holds":            {denies, shared, held, []string{"guard/held", "guard/released", "pair/not-supported"}, []string{"edit-rejected", "run-config-held"}},
		"denies, and is bad":           {denies, shared, bad, []string{"pair/not-supported", "stored/not-supported"}, []string{"edit-rejected"}},
		"denies, hold by label only":   {deniesWithoutHold, shared, good, []string{"pair/not-supported"}, []string{"edit-rejected"}},
		"denies, and hold of label ns": {labelled(deniesWithoutHold, guard.ModeDeny), shared, good, []string{"guard/released", "pair/not-supported"}, []string{"edit-rejected", "run-config-held"}},
	} {
		t.Run(name, func(t *testing.T) {
			consumer, _ := resolve.ConsumerOf(testenv.Server(ns, "web", c.references))
			report := findings.Run(&inventory.Snapshot{
				Mode:      inventory.Guard,
				Configs:   []*v1beta1.MCPExternalAuthConfig{testenv.Config(ns, "shared", "admin"), testenv.OutgoingConfig(ns, "outgoing")},
				Consumers: []*inventory.Consumer{{Consumer: consumer, Status: &v1alpha1.Status{}, RunConfigs: c.runConfigs}},
			}, c.installed)
			var rules, deny []string
			counted := map[string]int{}
			for _, finding := range report.Findings {
				rules = append(rules, finding.Rule)
				deny = append(deny, finding.Deny...)
				for _, what := range finding.Deny {
					counted[what]++
				}
			}
			slices.Sort(rules)
			expect.Equal(t, "rules", c.want, rules)
			expect.Equal(t, "with deny", c.deny, deny)
			expect.Equal(t, "summary", counted, report.Summary.Deny)
		})
	}
}
