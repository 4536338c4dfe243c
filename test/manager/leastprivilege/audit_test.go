package leastprivilege_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"
	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"

	"github.com/scopegate/scopegate/internal/guard"
	"github.com/scopegate/scopegate/internal/testing/controlplane"
	"github.com/scopegate/scopegate/internal/testing/expect"
)

func requests(t *testing.T, path, user string) []auditv1.Event {
	t.Helper()
	file, err := os.Open(path) //nolint:gosec // The test's own file.
	expect.NoError(t, err)
	defer func() { _ = file.Close() }()
	seen := sets.New[types.UID]()
	var events []auditv1.Event
	for decoder := json.NewDecoder(file); ; {
		event := auditv1.Event{}
		err := decoder.Decode(&event)
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			break // What is left is still being written.
		}
		expect.NoError(t, err)
		// A watch is logged when it starts and when it ends.
		if event.User.Username != user || seen.Has(event.AuditID) {
			continue
		}
		seen.Insert(event.AuditID)
		events = append(events, event)
	}
	if len(events) == 0 {
		t.Fatalf("%s made no request", user)
	}
	return events
}

type grant struct {
	role                        string
	group, resource, name, verb string
}

func (g grant) String() string {
	return fmt.Sprintf("%s: %s %s of group %q, name %q", g.role, g.verb, g.resource, g.group, g.name)
}

// grants returns every right that a ServiceAccount has by the roles of a
// manifest, in the namespace of each binding.
func (i *installed) grants(t *testing.T) map[grant]bool {
	t.Helper()
	rules, all := map[string][]rbacv1.PolicyRule{}, map[grant]bool{}
	for _, object := range i.objects {
		if kind := object.GetKind(); kind == "Role" || kind == "ClusterRole" {
			role := rbacv1.ClusterRole{}
			expect.NoError(t, runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &role))
			rules[roleKey(kind, object.GetNamespace(), object.GetName())] = role.Rules
		}
	}
	for _, object := range i.objects {
		if kind := object.GetKind(); kind != "RoleBinding" && kind != "ClusterRoleBinding" {
			continue
		}
		binding := rbacv1.RoleBinding{}
		expect.NoError(t, runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &binding))
		if len(binding.Subjects) != 1 || binding.Subjects[0].Name != i.account() {
			t.Errorf("%s %s binds %v, want the manager's ServiceAccount alone", object.GetKind(), object.GetName(), binding.Subjects)
		}
		role := roleKey(binding.RoleRef.Kind, object.GetNamespace(), binding.RoleRef.Name)
		if len(rules[role]) == 0 {
			t.Errorf("%s %s binds %s, which has no rules", object.GetKind(), object.GetName(), role)
		}
		for _, rule := range rules[role] {
			if len(rule.ResourceNames) == 0 {
				rule.ResourceNames = []string{""}
			}
			for _, group := range rule.APIGroups {
				for _, resource := range rule.Resources {
					for _, name := range rule.ResourceNames {
						for _, verb := range rule.Verbs {
							all[grant{role, group, resource, name, verb}] = false
						}
					}
				}
			}
		}
	}
	return all
}

func roleKey(kind, namespace, name string) string {
	return strings.TrimSuffix(kind+" "+namespace+"/"+name, " ")
}

// covers reports whether a right allows a request.
func (g grant) covers(event *auditv1.Event) bool {
	object := event.ObjectRef
	if object == nil {
		return false
	}
	resource := object.Resource
	if object.Subresource != "" {
		resource += "/" + object.Subresource
	}
	namespace, isRole := strings.CutPrefix(g.role, "Role ")
	namespace, _, _ = strings.Cut(namespace, "/")
	return (!isRole || namespace == object.Namespace) &&
		g.group == object.APIGroup && g.resource == resource && g.verb == event.Verb && (g.name == "" || g.name == object.Name)
}

// check compares what the manager asked for with what it was granted.
func (i *installed) check(t *testing.T) {
	t.Helper()
	granted := i.grants(t)
	user := "system:serviceaccount:" + controlplane.Namespace + ":" + i.account()
	asked := requests(t, i.auditLog, user)
	for _, event := range asked {
		request := event.Verb + " " + event.RequestURI
		if event.Annotations["authorization.k8s.io/decision"] != "allow" || (event.ResponseStatus != nil && event.ResponseStatus.Code == 403 && !refusedByPolicy(&event)) {
			t.Errorf("refused: %s: %v", request, event.Annotations)
		}
		if event.ObjectRef != nil && (event.ObjectRef.Resource == "secrets" || event.ObjectRef.Resource == "configmaps") {
			t.Errorf("a Secret or a ConfigMap was requested: %s", request)
		}
		for g := range granted {
			if g.covers(&event) {
				granted[g] = true
			}
		}
	}
	used := 0
	var unused []string
	for g, wasUsed := range granted {
		switch {
		case wasUsed:
			used++
		case g.byTiming():
			t.Logf("not used in this run: %s", g)
		default:
			unused = append(unused, g.String())
		}
		if why := i.tooMuch(g); why != "" {
			t.Errorf("%s: %s", why, g)
		}
	}
	slices.Sort(unused)
	for _, g := range unused {
		t.Errorf("never used: %s", g)
	}
	t.Logf("%d of %d rights were used, in %d requests", used, len(granted), len(asked))
}

// tooMuch returns why a right must not be granted, or "".
func (i *installed) tooMuch(g grant) string {
	if slices.Contains([]string{"secrets", "configmaps", "*"}, g.resource) || g.verb == "*" || g.group == "*" {
		return "too much is granted"
	}
	// In standalone mode the manager runs workloads of its own.
	runs := slices.Contains([]string{"pods", "mcpservers", "mcpremoteproxies", "virtualmcpservers"}, g.resource)
	if i.account() == "scopegate-guard" && runs && g.verb != "list" && g.verb != "watch" && !strings.HasPrefix(g.role, "Role "+guard.CanaryNamespace+"/") {
		return "outside of the canary's namespace"
	}
	return ""
}

// byTiming reports whether no test can force the use of a right. client-go
// patches the last event only if the new one equals it, including the
// resourceVersion of the object that it is about. The events on policies have no
// such version, so a test can force a patch in their namespace.
func (g grant) byTiming() bool {
	return g.group == "events.k8s.io" && g.verb == "patch" && !strings.HasPrefix(g.role, "Role default/")
}

// refusedByPolicy reports whether a request is a dry run in the canary's namespace that
// a policy of the guard or the quota rejected, as it must.
func refusedByPolicy(event *auditv1.Event) bool {
	message := event.ResponseStatus.Message
	return event.ObjectRef.Namespace == guard.CanaryNamespace && strings.Contains(event.RequestURI, "dryRun=All") &&
		(strings.Contains(message, "ValidatingAdmissionPolicy") || strings.Contains(message, "quota: scopegate-canary"))
}
