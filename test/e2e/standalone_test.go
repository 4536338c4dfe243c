//go:build e2e

package e2e

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/scopegate/scopegate/internal/kinds"
	"github.com/scopegate/scopegate/internal/resolve"
	"github.com/scopegate/scopegate/internal/rollout"
)

const (
	ownNamespace = "scopegate-system"
	ownPods      = "app.kubernetes.io/name=scopegate"

	auth    = "mcpexternalauthconfig/auth"
	weather = "mcpserver/weather"
	tickets = "mcpremoteproxy/tickets"
	office  = "virtualmcpserver/office"
)

// kindOf splits the name of an object in kubectl, such as mcpserver/weather.
func kindOf(object string) (kind kinds.Kind, name string) {
	lower, name, _ := strings.Cut(object, "/")
	found := slices.IndexFunc(kinds.All, func(kind kinds.Kind) bool { return strings.ToLower(kind.Name) == lower })
	return kinds.All[found], name
}

// installStandalone applies the manifest of standalone mode, and waits until both
// replicas are Ready.
func (s *scenario) installStandalone() {
	s.Helper()
	const manifest = "dist/standalone.yaml"
	if _, err := s.run(ctx, nil, "get", "crd", "mcpservers.toolhive.stacklok.dev"); err == nil {
		s.Skip("the cluster has ToolHive's CRDs, and standalone mode brings its own")
	}
	s.must(s.importImages(manifest))
	s.after("delete", "--filename", manifest, "--ignore-not-found", "--wait", "--timeout", "2m")
	s.kubectl("", "apply", "--server-side", "--filename", manifest)
	s.kubectl(ownNamespace, "rollout", "status", "deployment/scopegate", "--timeout", "2m")
	ready := s.kubectl(ownNamespace, "get", "pods", "--selector", ownPods, "--output", `jsonpath={range .items[*]}{.status.conditions[?(@.type=="Ready")].status} {end}`)
	if ready != "True True " {
		s.Fatalf("the Ready conditions of the replicas are %s", ready)
	}
	s.kubectl(ownNamespace, "get", "pods,leases")
	s.kubectl("", "get", "namespace", ownNamespace, "--show-labels")
}

// edit: the auth servers of each kind of consumer become Ready. An edit that would
// break one changes nothing that runs.
func edit(s *scenario) {
	const namespace = "e2e-standalone"
	// The pods must be as restricted as Kubernetes can ask for.
	s.newNamespace(namespace, map[string]string{"pod-security.kubernetes.io/enforce": "restricted"})
	s.apply(namespace, "standalone")
	s.awaitConditions(namespace, "Ready", weather, tickets, office)
	s.kubectl(namespace, "get", "toolhive,deployments,replicasets,pods,services")

	kind, name := kindOf(weather)
	instance := rollout.ChildName(resolve.Consumer{Kind: kind.Name, Namespace: namespace, Name: name})
	url := fmt.Sprintf("http://%s.%s:8080%s", instance, namespace, discoveryPath)
	awaitNewPod := func(old []corev1.Pod) {
		s.Helper()
		s.await("a new pod is Ready, and no other runs", func() error {
			switch pods := s.pods(namespace, instance); {
			case len(pods) != 1:
				return fmt.Errorf("there are %d pods", len(pods))
			case slices.Contains(uids(old), string(pods[0].UID)):
				return errors.New("the old pod runs")
			case !ready(pods[0]):
				return errors.New("the new pod is not Ready")
			default:
				return nil
			}
		})
	}
	const scopes = `"scopes_supported":["openid","profile","offline_access"`
	s.say("Through the Service, discovery lists the effective scopes: those of the consumer.")
	s.awaitAnswer(url, scopes+"]")
	old := s.pods(namespace, instance)
	stop := s.ask(url)

	s.say("A scope that the consumer does not have joins the baseline.")
	s.kubectl(namespace, "patch", auth, "--type", "merge", "--patch", `{"spec":{"embeddedAuthServer":{"baselineClientScopes":["openid","calendar.read"]}}}`)
	s.awaitConditions(namespace, "BaselineScopesValid=False", auth, weather, tickets)
	s.kubectl(namespace, "get", weather, "--output", allConditions)
	if diff := cmp.Diff(uids(old), uids(s.pods(namespace, instance))); diff != "" {
		s.Fatalf("there are other pods (-want +got):\n%s", diff)
	}
	s.kubectl(namespace, "get", "replicasets,pods")
	stop("while the edit was held")

	s.say("A pod that is deleted meanwhile comes back with the last config that was good.")
	s.kubectl(namespace, "delete", "pod", "--selector", "app.kubernetes.io/instance="+instance)
	awaitNewPod(old)
	s.awaitAnswer(url, scopes+"]")

	s.say("The repair rolls out with no other nudge, and with no request refused at the Service.")
	stop = s.ask(url)
	old = s.pods(namespace, instance)
	s.kubectl(namespace, "patch", weather, "--type", "merge", "--patch", `{"spec":{"oidcConfigRef":{"scopes":["openid","profile","offline_access","calendar.read"]}}}`)
	s.awaitConditions(namespace, "Ready", weather)
	awaitNewPod(old)
	for _, pod := range old {
		s.kubectl(namespace, "wait", "--for=delete", "pod/"+pod.Name, "--timeout", "2m")
	}
	stop("during the rollout")
	s.awaitAnswer(url, scopes+`,"calendar.read"]`)
	s.kubectl(namespace, "get", weather, "--output", allConditions)
}
