//go:build e2e

package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/internal/resolve"
	"github.com/scopegate/scopegate/internal/rollout"
)

const (
	ownNamespace = "scopegate-system"
	ownPods      = "app.kubernetes.io/name=scopegate"

	standaloneManifest = "dist/standalone.yaml"

	auth    = "mcpexternalauthconfig/auth"
	weather = "mcpserver/weather"
	tickets = "mcpremoteproxy/tickets"
	mail    = "mcpserver/mail"
	office  = "virtualmcpserver/office"
)

// kinds are the kinds by their names in kubectl.
var kinds = map[string]string{"mcpexternalauthconfig": resolve.KindMCPExternalAuthConfig, "mcpserver": "MCPServer", "mcpremoteproxy": "MCPRemoteProxy", "virtualmcpserver": resolve.KindVirtualMCPServer}

// child returns the name of a consumer's Deployment and Service.
func child(namespace, consumer string) string {
	kind, name, _ := strings.Cut(consumer, "/")
	return rollout.ChildName(resolve.Consumer{Kind: kinds[kind], Namespace: namespace, Name: name})
}

// restricted makes a namespace whose pods must be as restricted as Kubernetes can
// ask for.
func (s *scenario) restricted(name string) string {
	s.Helper()
	name = "e2e-" + name
	s.newNamespace(name, map[string]string{"pod-security.kubernetes.io/enforce": "restricted"})
	return name
}

// installStandalone applies the manifest of standalone mode, waits until both
// replicas are Ready, and returns what the cluster had before.
func (s *scenario) installStandalone() map[string]bool {
	s.Helper()
	if _, err := s.run(ctx, nil, "get", "crd", "mcpservers.toolhive.stacklok.dev"); err == nil {
		s.Skip("the cluster has ToolHive's CRDs, and standalone mode brings its own")
	}
	before, err := s.everything()
	s.must(err)
	images, err := s.importImages(standaloneManifest)
	s.must(err)
	if images != len([]string{"the manager's", "the auth server's"}) {
		s.Fatalf("%s names %d images, want one of the manager and one in AUTH_SERVER_IMAGE", standaloneManifest, images)
	}
	s.after("delete", "--filename", standaloneManifest, "--ignore-not-found", "--wait", "--timeout", "2m")
	s.kubectl("", "apply", "--server-side", "--filename", standaloneManifest)
	s.kubectl(ownNamespace, "rollout", "status", "deployment/scopegate", "--timeout", "2m")
	ready := s.kubectl(ownNamespace, "get", "pods", "--selector", ownPods, "--output", `jsonpath={range .items[*]}{.status.conditions[?(@.type=="Ready")].status} {end}`)
	if ready != "True True " {
		s.Fatalf("the Ready conditions of the replicas are %s", ready)
	}
	s.kubectl(ownNamespace, "get", "pods,leases")
	s.kubectl("", "get", "namespace", ownNamespace, "--show-labels")
	return before
}

// good: the auth server of a config that is in order becomes Ready and does
// what its config says.
func good(s *scenario) {
	namespace := s.restricted("good")
	s.apply(namespace, "standalone/10-shared.yaml", "standalone/20-config.yaml", "standalone/30-weather.yaml")
	s.awaitConditions(namespace, "Ready", weather)
	s.kubectl(namespace, "get", "mcpexternalauthconfigs,mcpservers,deployments,replicasets,pods,services")

	s.say("Through the Service, discovery lists the effective scopes: those of the consumer.")
	if diff := cmp.Diff([]string{"openid", "profile", "offline_access"}, s.discover(namespace, weather)); diff != "" {
		s.Fatalf("discovery lists other scopes (-want +got):\n%s", diff)
	}
	s.say("A client that asks for profile alone gets the baseline too.")
	registered := strings.Fields(s.register(namespace, weather, "profile"))
	slices.Sort(registered)
	if diff := cmp.Diff([]string{"offline_access", "openid", "profile"}, registered); diff != "" {
		s.Fatalf("the client has other scopes (-want +got):\n%s", diff)
	}
}

// invalidFromTheStart: nothing is made for a baseline that the auth server would
// refuse, and the conditions say so.
func invalidFromTheStart(s *scenario) {
	namespace := s.restricted("invalid")
	s.say("From before the first object, every Deployment, ReplicaSet and pod of the namespace is watched.")
	var watches []watch.Interface
	for _, list := range []client.ObjectList{&appsv1.DeploymentList{}, &appsv1.ReplicaSetList{}, &corev1.PodList{}} {
		watcher, err := s.client.Watch(ctx, list, client.InNamespace(namespace))
		s.must(err)
		defer watcher.Stop()
		watches = append(watches, watcher)
	}

	s.apply(namespace, "standalone/10-shared.yaml")
	s.applyChanged(namespace, "standalone/20-config.yaml", "[openid, offline_access]", "[openid, offline_acess]")
	s.apply(namespace, "standalone/30-weather.yaml", "standalone/40-tickets.yaml")
	s.awaitConditions(namespace, "BaselineScopesValid=False", auth, weather, tickets)
	s.awaitConditions(namespace, "Stalled", weather)
	s.showConditions(namespace, auth, weather)
	s.kubectl(namespace, "get", "deployments,replicasets,pods,services")
	s.kubectl(namespace, "events", "--types", "Warning")

	s.say("Another edit that repairs nothing starts nothing either.")
	s.patch(namespace, weather, `{"spec":{"oidcConfigRef":{"scopes":["openid","profile","email","offline_access"]}}}`)
	s.awaitConditions(namespace, "BaselineScopesValid=False", weather)

	s.say("The watches see the Deployment of the test's own that comes last, its ReplicaSet and its pod, and nothing before.")
	s.apply(namespace, "sentinel.yaml")
	for _, watcher := range watches {
		event := <-watcher.ResultChan()
		if object, ok := event.Object.(client.Object); !ok || !strings.HasPrefix(object.GetName(), "sentinel") {
			s.Fatalf("there was %s %v", event.Type, event.Object)
		}
	}
}

// editedToInvalid: an edit that would break a running auth server changes
// nothing that runs.
func editedToInvalid(s *scenario) {
	namespace := s.restricted("edited")
	instance, url := child(namespace, weather), serviceURL(namespace, weather)+discoveryPath
	s.apply(namespace, "standalone/10-shared.yaml", "standalone/20-config.yaml", "standalone/30-weather.yaml")
	s.awaitConditions(namespace, "Ready", weather)
	pods := uids(s.pods(namespace, instance))
	stop := s.ask(url)

	s.say("A scope that the consumer does not have joins the baseline.")
	s.patch(namespace, auth, `{"spec":{"embeddedAuthServer":{"baselineClientScopes":["openid","calendar.read"]}}}`)
	s.awaitConditions(namespace, "BaselineScopesValid=False", auth, weather)
	s.showConditions(namespace, weather)
	if diff := cmp.Diff(pods, uids(s.pods(namespace, instance))); diff != "" {
		s.Fatalf("there are other pods (-want +got):\n%s", diff)
	}
	s.kubectl(namespace, "get", "replicasets,pods", "--output", "custom-columns=KIND:.kind,NAME:.metadata.name,UID:.metadata.uid,READY:.status.readyReplicas,PHASE:.status.phase")
	stop("while the edit was held")

	s.say("A pod that is deleted meanwhile comes back with the last config that was good.")
	s.kubectl(namespace, "delete", "pod", "--selector", "app.kubernetes.io/instance="+instance)
	s.awaitNewPod(namespace, instance, pods)
	if diff := cmp.Diff([]string{"openid", "profile", "offline_access"}, s.discover(namespace, weather)); diff != "" {
		s.Fatalf("the successor has other effective scopes (-want +got):\n%s", diff)
	}

	s.say("The repair rolls out with no other nudge, and with no request refused at the Service.")
	stop = s.ask(url)
	pods = uids(s.pods(namespace, instance))
	s.patch(namespace, weather, `{"spec":{"oidcConfigRef":{"scopes":["openid","profile","offline_access","calendar.read"]}}}`)
	s.awaitConditions(namespace, "Ready", weather)
	s.awaitNewPod(namespace, instance, pods)
	s.awaitNoneEnding(namespace)
	stop("during the rollout")
	if scopes := s.discover(namespace, weather); !slices.Contains(scopes, "calendar.read") {
		s.Fatalf("the effective scopes are still %v", scopes)
	}
	s.showConditions(namespace, weather)
}

// backstop: a run config that the operator never validated ends the process that
// reads it, with ToolHive's own message.
func backstop(s *scenario) {
	const byHand = "by-hand"
	namespace := s.restricted("backstop")
	s.apply(namespace, "standalone/10-shared.yaml", "standalone/20-config.yaml", "standalone/30-weather.yaml")
	s.awaitConditions(namespace, "Ready", weather)

	s.say("A copy of the Deployment, with a run config that somebody wrote by hand.")
	var deployment appsv1.Deployment
	s.must(s.client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: child(namespace, weather)}, &deployment))
	labels := map[string]string{"app.kubernetes.io/instance": byHand}
	template := deployment.Spec.Template
	template.Labels = labels
	var runConfig map[string]any
	s.must(json.Unmarshal([]byte(template.Annotations[rollout.RunConfigAnnotation]), &runConfig))
	runConfig["baseline_client_scopes"] = []string{"openid", "calendar.read"}
	text, err := json.Marshal(runConfig)
	s.must(err)
	template.Annotations[rollout.RunConfigAnnotation] = string(text)
	s.must(s.client.Create(ctx, &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: byHand},
		Spec:       appsv1.DeploymentSpec{Selector: &metav1.LabelSelector{MatchLabels: labels}, Template: template},
	}))
	s.awaitCrashLoop(namespace, byHand)
	s.kubectl(namespace, "get", "pods")
	s.wantLog(namespace, byHand, `baseline_client_scopes contains "calendar.read" which is not in scopes_supported`)
}

// sharedConfig: an edit of a config that several consumers share rolls those
// whose auth server accepts it, and no other.
func sharedConfig(s *scenario) {
	consumers := []string{weather, tickets, mail, office}
	namespace := s.restricted("shared")
	s.apply(namespace, "standalone")
	s.awaitConditions(namespace, "Ready", consumers...)
	before := map[string]int{}
	for _, consumer := range consumers {
		before[consumer] = s.revision(namespace, child(namespace, consumer))
	}
	s.kubectl(namespace, "get", "toolhive")

	s.say("email joins the baseline: tickets and mail have it, weather has not, and office has a config of its own.")
	s.patch(namespace, auth, `{"spec":{"embeddedAuthServer":{"baselineClientScopes":["openid","offline_access","email"]}}}`)
	s.awaitConditions(namespace, "BaselineScopesValid=False", weather)
	for _, consumer := range consumers {
		want := before[consumer]
		if consumer == tickets || consumer == mail {
			want++
			s.await(consumer+" has rolled", func() error {
				if got := s.revision(namespace, child(namespace, consumer)); got != want {
					return fmt.Errorf("its Deployment is at revision %d", got)
				}
				return nil
			})
			s.awaitRolledOut(namespace, consumer)
		}
		if got := s.revision(namespace, child(namespace, consumer)); got != want {
			s.Fatalf("the Deployment of %s is at revision %d, want %d", consumer, got, want)
		}
	}
	s.kubectl(namespace, "get", "toolhive")
	s.kubectl(namespace, "get", "replicasets,pods")
	s.showConditions(namespace, auth)
}

// awaitRolledOut waits until the Deployment of a consumer runs its newest
// template alone.
func (s *scenario) awaitRolledOut(namespace, consumer string) {
	s.Helper()
	s.kubectl(namespace, "rollout", "status", "deployment/"+child(namespace, consumer), "--timeout", "2m")
	s.awaitConditions(namespace, "Ready", consumer)
}

// uninstall: deleting the manifest removes what it installed and what resulted
// from it, and leaves what the user made.
func uninstall(s *scenario, before map[string]bool) {
	namespace := s.restricted("user")
	s.apply(namespace, "standalone")
	s.awaitConditions(namespace, "Ready", office)

	s.say("A consumer takes its auth server with it.")
	s.kubectl(namespace, "delete", mail)
	// This also shows that Kubernetes' garbage collector knows the new kinds. If
	// they were deleted before, it could never know that an owner is gone.
	s.kubectl(namespace, "wait", "--for=delete", "replicasets", "--selector", "app.kubernetes.io/instance="+child(namespace, mail), "--timeout", "2m")

	s.say("The manifest is deleted, with the CRDs and every object of theirs.")
	s.kubectl("", "delete", "--filename", standaloneManifest, "--wait", "--timeout", "2m")
	var left map[string]bool
	s.await("nothing is left but what the user made", func() (err error) {
		if left, err = s.everything(); err != nil {
			return err
		}
		var ours []string
		for object := range left {
			if !before[object] && !ofUser(object) {
				ours = append(ours, object)
			}
		}
		if slices.Sort(ours); len(ours) > 0 {
			err = errors.New(strings.Join(ours, ", "))
		}
		return err
	})
	s.kubectl("", "get", "deployments,replicasets,pods,services,secrets", "--all-namespaces")
	if !left["Secret "+namespace+"/idp-client"] {
		s.Fatal("the user's Secret is gone")
	}
}

// everything lists every object of the cluster that stays unless somebody deletes
// it, as KIND NAMESPACE/NAME.
func (s *scenario) everything() (map[string]bool, error) {
	listed, err := s.run(ctx, nil, "api-resources", "--verbs", "list", "--output", "name")
	if err != nil {
		return nil, err
	}
	resources := slices.DeleteFunc(strings.Fields(listed), func(resource string) bool {
		return strings.HasPrefix(resource, "events") || resource == "componentstatuses" || strings.HasSuffix(resource, ".metrics.k8s.io")
	})
	output, err := s.run(ctx, nil, "get", strings.Join(resources, ","), "--all-namespaces", "--no-headers",
		"--output", "custom-columns=:.kind,:.metadata.namespace,:.metadata.name")
	if err != nil {
		return nil, err
	}
	found := map[string]bool{}
	for line := range strings.Lines(output) {
		if fields := strings.Fields(line); len(fields) == 3 {
			found[fmt.Sprintf("%s %s/%s", fields[0], strings.TrimPrefix(fields[1], "<none>"), fields[2])] = true
		}
	}
	return found, nil
}

// ofUser reports whether the user made an object, or Kubernetes for itself or for
// a namespace of the user's.
func ofUser(object string) bool {
	kind, name, _ := strings.Cut(object, " ")
	namespace, name, _ := strings.Cut(name, "/")
	switch kind {
	case "Namespace":
		return name != ownNamespace
	case "Secret":
		return name == "idp-client"
	case "ServiceAccount":
		return name == "default" && namespace != ownNamespace || namespace == "kube-system"
	case "Lease":
		return namespace == "kube-system" || namespace == "kube-node-lease"
	case "ClusterTrustBundle":
		return strings.HasPrefix(name, "kubernetes.io:")
	case "ConfigMap":
		return name == "kube-root-ca.crt" && namespace != ownNamespace
	default:
		return false
	}
}
