package sabotage_test

import (
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/internal/guard"
	"github.com/scopegate/scopegate/internal/guard/canary"
)

// noDifference lists the sabotages that the check need not find, with the reason. A
// star at the end stands for any text.
var noDifference = map[string]string{
	"MCPExternalAuthConfig scopegate-canary: delete spec.embeddedAuthServer.upstreamProviders*": "the policy reads only the type and the baseline",
	"MCPExternalAuthConfig scopegate-canary: change spec.embeddedAuthServer.upstreamProviders*": "the policy reads only the type and the baseline",
	"MCPExternalAuthConfig scopegate-canary: change spec.embeddedAuthServer.issuer":             "the policy reads only the type and the baseline",
	"Role scopegate-guard: delete rules[1].verbs[0]":                                            "the right to delete the stored config is for the cleanup",
	"Role scopegate-guard: change rules[1].verbs[0]":                                            "the right to delete the stored config is for the cleanup",
	"Role scopegate-guard: delete rules[1].verbs[2]":                                            "the right to patch the stored config is for the cleanup",
	"Role scopegate-guard: change rules[1].verbs[2]":                                            "the right to patch the stored config is for the cleanup",
	"Role scopegate-guard: delete rules[1].resourceNames":                                       "more rights: all configs of the namespace",
	"Role scopegate-guard: delete rules[1].resourceNames[0]":                                    "more rights: all configs of the namespace",
	"ClusterRole scopegate-guard-cluster: delete rules[0].resourceNames":                        "more rights: all policies",
	"ClusterRole scopegate-guard-cluster: delete rules[2].resourceNames":                        "more rights: all bindings",
	"ClusterRole scopegate-guard-cluster: delete rules[1]*":                                     "the start-up policy is installed, so a get reads it too",
	"ClusterRole scopegate-guard-cluster: change rules[1]*":                                     "the start-up policy is installed, so a get reads it too",
	"ClusterRole scopegate-guard-cluster: delete rules[3]*":                                     "the right is for those who read the metrics",
	"ClusterRole scopegate-guard-cluster: change rules[3]*":                                     "the right is for those who read the metrics",
	"ClusterRole scopegate-guard-cluster: delete rules[4]*":                                     "the right is for those who read the metrics",
	"ClusterRole scopegate-guard-cluster: change rules[4]*":                                     "the right is for those who read the metrics",
}

func excused(name string, used map[string]bool) bool {
	for pattern := range noDifference {
		prefix, open := strings.CutSuffix(pattern, "*")
		if name == pattern || open && strings.HasPrefix(name, prefix) {
			used[pattern] = true
			return true
		}
	}
	return false
}

// TestCanary changes the namespace in which the check tries the policies, what is in
// it, and the rights of the manager.
func TestCanary(t *testing.T) {
	checker := newChecker(t, nil, policies(t)...)
	await(t, checker, "all is effective", silent)
	inCanary := metav1.ObjectMeta{Namespace: guard.CanaryNamespace, Name: "scopegate-guard"}
	used := map[string]bool{}
	for _, target := range []struct {
		object client.Object
		field  string
	}{
		{&corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Namespace: guard.CanaryNamespace, Name: canary.Name}}, "spec"},
		{&v1beta1.MCPExternalAuthConfig{ObjectMeta: metav1.ObjectMeta{Namespace: guard.CanaryNamespace, Name: canary.Name}}, "spec"},
		{&rbacv1.Role{ObjectMeta: inCanary}, "rules"},
		{&rbacv1.RoleBinding{ObjectMeta: inCanary}, "subjects"},
		{&rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "scopegate-guard-cluster"}}, "rules"},
		{&rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "scopegate-guard-cluster"}}, "subjects"},
	} {
		object := read(t, target.object)
		all := slices.DeleteFunc(mutations(object, target.field), func(mutation mutation) bool { return excused(mutation.name, used) })
		try(t, checker, object, all, loud)
	}
	for pattern := range noDifference {
		if !used[pattern] {
			t.Errorf("no sabotage is %s", pattern)
		}
	}
}

// TestModeOfCanary relabels the namespace.
func TestModeOfCanary(t *testing.T) {
	checker := newChecker(t, nil, policies(t)...)
	await(t, checker, "all is effective", silent)
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: guard.CanaryNamespace}}
	for _, mode := range []string{`"off"`, `"warn"`, `"enforce"`, `"unknown"`, `null`} {
		cluster.Patch(t, namespace, `{"metadata":{"labels":{"`+guard.ModeLabel+`":`+mode+`}}}`)
		await(t, checker, "mode "+mode+" is found", func(found map[string]canary.Finding) bool {
			finding := found[guard.ConsumersPolicy]
			return finding.Cause == canary.Admitted && strings.Contains(finding.Message, "must be refused. Either the namespace scopegate-canary has not the label ")
		})
		cluster.Patch(t, namespace, `{"metadata":{"labels":{"`+guard.ModeLabel+`":"strict"}}}`)
		await(t, checker, "the mode is strict again", silent)
	}
}
