package inventory_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/scopegate/scopegate/api/v1alpha1"
	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/internal/inventory"
	"github.com/scopegate/scopegate/internal/live"
	"github.com/scopegate/scopegate/internal/resolve"
	"github.com/scopegate/scopegate/internal/testenv"
)

const ns = "ns"

// take takes stock of one server with a baseline that is not supported.
func take(settings live.Settings, configMaps ...*corev1.ConfigMap) inventory.Report {
	consumer, _ := resolve.Of(testenv.Server(ns, "web", testenv.AuthServerRef("shared")))
	return inventory.Take(&live.Snapshot{
		Mode:       live.Guard,
		Configs:    []*v1beta1.MCPExternalAuthConfig{testenv.Config(ns, "shared", "admin")},
		Consumers:  []live.Consumer{{Consumer: consumer, UID: "web", Status: &v1alpha1.Status{}}},
		ConfigMaps: configMaps,
	}, settings, "")
}

// TestFindings is about what depends on the guard: what it holds back is released
// without it, unless it is rolled out already or no business of the guard.
func TestFindings(t *testing.T) {
	stored := func(baseline string, labels map[string]string) *corev1.ConfigMap {
		return &corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "web-runconfig", Labels: labels, OwnerReferences: []metav1.OwnerReference{{UID: "web"}}},
			Data:       map[string]string{"runconfig.json": `{"embedded_auth_server_config":{"baseline_client_scopes":["` + baseline + `"]}}`},
		}
	}
	installed := live.Settings{Policies: []string{"one"}}
	for name, c := range map[string]struct {
		settings   live.Settings
		configMaps []*corev1.ConfigMap
		want       []string
	}{
		"no guard":             {live.Settings{}, nil, []string{"pair/not-supported"}},
		"held at the source":   {installed, nil, []string{"guard/released", "pair/not-supported"}},
		"an older run config":  {installed, []*corev1.ConfigMap{stored("openid", nil)}, []string{"guard/released", "pair/not-supported"}},
		"held by the lock":     {installed, []*corev1.ConfigMap{stored("openid", map[string]string{live.HeldLabel: "true"})}, []string{"guard/held", "guard/released", "pair/not-supported"}},
		"rolled out already":   {installed, []*corev1.ConfigMap{stored("admin", nil)}, []string{"pair/not-supported", "stored/not-supported"}},
		"exempt":               {live.Settings{Policies: []string{"one"}, Exempt: []string{"MCPServer/ns/web"}}, nil, []string{"guard/exempt", "pair/not-supported"}},
		"off in the namespace": {live.Settings{Policies: []string{"one"}, Off: map[string]bool{ns: true}}, nil, []string{"guard/exempt", "pair/not-supported"}},
		"off in another":       {live.Settings{Policies: []string{"one"}, Off: map[string]bool{"other": true}}, nil, []string{"guard/released", "pair/not-supported"}},
		"another is exempt":    {live.Settings{Policies: []string{"one"}, Exempt: []string{"MCPServer/ns/other"}}, nil, []string{"guard/exempt-unknown", "guard/released", "pair/not-supported"}},
	} {
		t.Run(name, func(t *testing.T) {
			var rules []string
			for _, finding := range take(c.settings, c.configMaps...).Findings {
				rules = append(rules, finding.Rule)
			}
			slices.Sort(rules)
			if diff := cmp.Diff(c.want, rules); diff != "" {
				t.Errorf("rules (-want +got):\n%s", diff)
			}
		})
	}
}
