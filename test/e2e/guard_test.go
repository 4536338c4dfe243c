//go:build e2e

package e2e

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/scopegate/scopegate/internal/guard"
	"github.com/scopegate/scopegate/test/e2e/chart"
)

const (
	guardManifest = "dist/guard.yaml"
	// withConfig matches the config and the two workloads that use it. Mode enforce
	// warns of a mistake in the config, and rejects one in office.
	withConfig = "toolhive/[1-4]0-*.yaml"
)

// installGuard installs the guard, and waits until all conditions are True.
func (s *scenario) installGuard() {
	s.Helper()
	s.must(s.importImages(guardManifest))
	s.after("delete", "--ignore-not-found", "--wait", "--timeout", "2m", "--filename", guardManifest)
	s.kubectl("", "apply", "--server-side", "--filename", guardManifest)
	s.kubectl(ownNamespace, "rollout", "status", "deployment/scopegate-guard", "--timeout", "2m")
	s.repair()
}

// repair applies the unchanged manifests, and waits until every condition is True.
func (s *scenario) repair() {
	s.Helper()
	s.goodWorkloads()
	s.awaitConditions(demo, "BaselineScopesValid=True", guarded...)
}

// answers are how many warnings and how many rejections each mode answers with when
// a bad baseline is applied to all workloads: one for each consumer, but strict
// rejects the config once.
var answers = map[string][2]int{guard.ModeOff: {0, 0}, guard.ModeEnforce: {2, 1}, guard.ModeStrict: {0, 2}}

func answer(output string) [2]int {
	return [2]int{strings.Count(output, "Warning: Validation failed"), strings.Count(output, "denied request: ")}
}

// mode labels the namespace, and waits until the API server follows it: it tries a
// mistake by dry run, which is stored by no test.
func (s *scenario) mode(mode string) {
	s.Helper()
	s.kubectl("", "label", "namespace", demo, guard.ModeLabel+"="+mode, "--overwrite")
	mistake := s.changed("toolhive/*.yaml", baseline, baseline+", files.write")
	s.await("the API server follows it", func() error {
		output, _ := s.run(ctx, strings.NewReader(mistake), "apply", "--dry-run=server", "--filename", "-")
		if answer(output) != answers[mode] {
			return errors.New("kubectl says " + output)
		}
		return nil
	})
}

// refuse makes an edit in mode enforce that adds a bad scope to the baseline of auth, and
// changes more. It waits until both consumers of auth are refused their pods, and returns
// what kubectl said.
func (s *scenario) refuse(oldNew ...string) string {
	s.Helper()
	s.mode(guard.ModeEnforce)
	pods := s.demoPods()
	output := s.applyChanged(withConfig, append([]string{baseline, baseline + ", " + badScope}, oldNew...)...)
	s.wantRefused(pods, workloads[:2]...)
	return output
}

// enforce: the edit that one object tells is rejected. Any other is stored, with a
// warning, and the API server creates no pod for it.
func enforce(s *scenario) {
	s.mode(guard.ModeEnforce)
	pods := s.demoPods()
	s.wantRejected(office, virtualBaseline("openid", badScope), `VirtualMCPServer "office" does not support scope "`+badScope+`": `)
	s.samePods(pods)

	s.say("office gets its mistake in mode warn, while ToolHive's operator is away. The namespace is in mode enforce before that rolls it out.")
	s.kubectl(chart.Namespace, "scale", "deployment", "toolhive-operator", "--replicas", "0")
	s.kubectl(chart.Namespace, "wait", "--for=delete", "pod", "--selector", "app.kubernetes.io/name=toolhive-operator", "--timeout", "2m")
	s.slip("openid", badScope)
	s.awaitConditions(demo, "BaselineScopesValid=False", office)
	s.mode(guard.ModeEnforce)
	s.kubectl(chart.Namespace, "scale", "deployment", "toolhive-operator", "--replicas", "1")
	s.kubectl(chart.Namespace, "rollout", "status", "deployment/toolhive-operator", "--timeout", "2m")
	if output := s.refuse(); answer(output) != [2]int{2, 0} {
		s.Fatal("kubectl was not warned")
	}
	s.awaitConditions(demo, "BaselineScopesValid=False", guarded...)
	s.wantRefused(pods, workloads...)
	s.wantAnswers()
	for _, object := range guarded {
		s.kubectl(demo, "get", object, "--output",
			`jsonpath={range .status.conditions[?(@.type=="Ready")]}{.type}={.status}  {.reason}: {.message}{"\n"}{end}{range .status.conditions[?(@.type=="BaselineScopesValid")]}{.type}={.status}  {.reason}: {.message}{"\n"}{end}`)
	}
	s.kubectl(demo, "get", "deployments,replicasets,pods")
	s.kubectl(demo, "get", "deployment", "weather", "--output", `jsonpath={range .status.conditions[?(@.type=="ReplicaFailure")]}{.type}={.status}  {.reason}: {.message}{"\n"}{end}`)

	s.say("ToolHive's operator goes on as if nothing were wrong.")
	const quiet = 10 * time.Second
	failed := s.failedReconciles()
	select {
	case <-ctx.Done():
	case <-time.After(quiet):
	}
	if now := s.failedReconciles(); now != failed {
		s.Errorf("%v of its reconciles failed in %s", now-failed, quiet)
	}
	s.samePods(pods)

	s.say("What is created meanwhile from the bad config gets no pod.")
	s.applyChanged("toolhive/30-mcp-server.yaml", "name: weather", "name: storm")
	s.after("--namespace", demo, "delete", "mcpserver", "storm", "--ignore-not-found")
	s.awaitRefused(workload{object: "mcpserver/storm", name: "storm", configMap: "storm-runconfig"})
	s.kubectl(demo, "delete", "mcpserver", "storm")

	s.say("The repair: the consumers get the scope that the baseline has. They roll with no other nudge.")
	const scopes = "scopes: [openid, profile, offline_access"
	s.applyChanged("toolhive/*.yaml", baseline, baseline+", "+badScope, scopes, scopes+", "+badScope,
		// tickets has no scopes of its own yet.
		ticketsURL, ticketsURL+"\n    "+scopes+", "+badScope+"]")
	s.awaitConditions(demo, "BaselineScopesValid=True", guarded...)
	s.awaitRolled(true, workloads...)
	for _, w := range workloads {
		// The Service may lead to the old pod while that ends.
		s.awaitAnswer(w.url+discoveryPath, badScope)
	}
	s.repair()
}

// twoReferences: a second config, for outgoing requests, changes nothing.
func twoReferences(s *scenario) {
	s.mode(guard.ModeEnforce)
	s.after("--namespace", demo, "delete", "mcpexternalauthconfig", "outgoing", "--ignore-not-found", "--wait=false")
	s.applyChanged("toolhive/30-mcp-server.yaml", "  authServerRef:", "  externalAuthConfigRef: {name: outgoing}\n  authServerRef:",
		"apiVersion", "apiVersion: toolhive.stacklok.dev/v1beta1\nkind: MCPExternalAuthConfig\nmetadata: {name: outgoing, namespace: "+demo+"}\n"+
			"spec: {type: headerInjection, headerInjection: {headerName: X-Outgoing, valueSecretRef: {name: idp-client, key: client-secret}}}\n---\napiVersion")
	s.kubectl(demo, "wait", "--for=jsonpath={.status.externalAuthConfigHash}", "--timeout", "2m", weather)
	s.awaitRolled(false, workloads...)
	pods := s.demoPods()
	s.applyChanged("toolhive/20-auth-config.yaml", baseline, baseline+", "+badScope)
	s.wantRefused(pods, workloads[:2]...)
	s.wantAnswers()
	s.repair()
}

// environment: one edit changes the baseline, and the name of a provider, which is
// also part of the environment of the pods.
func environment(s *scenario) {
	s.refuse("name: company", "name: renamed")
	s.wantAnswers()
	s.repair()
}

// port: one edit changes the baseline, and the port. The Services follow at once,
// to pods that are not created.
func port(s *scenario) {
	s.refuse("proxyPort: 8080", "proxyPort: 8081", ticketsURL, ticketsURL+"\n  proxyPort: 8081")
	s.kubectl(demo, "get", "services,endpointslices,pods")
	for _, w := range workloads[:2] {
		for _, url := range []string{w.url, strings.Replace(w.url, ":8080", ":8081", 1)} {
			_, err := s.get(url + discoveryPath)
			fmt.Println(url, cmp.Or(err, errors.New("answers")))
		}
	}
	s.repair()
}

// replicas: of four pods, the rolling update takes one away before it creates
// another.
func replicas(s *scenario) {
	tickets := workloads[1]
	four := ticketsURL + "\n  replicas: 4"
	s.mode(guard.ModeEnforce)
	s.applyChanged("toolhive/40-remote-proxy.yaml", ticketsURL, four)
	s.await("four pods are Ready", func() error { return s.readyPods(tickets, 4) })
	old := uids(s.pods(demo, tickets.name))
	s.applyChanged("toolhive/20-auth-config.yaml", baseline, baseline+", "+badScope)
	s.awaitRefused(tickets)
	s.await("three pods are Ready", func() error { return s.readyPods(tickets, 3) })
	s.kubectl(demo, "get", "deployments,replicasets,pods", "--selector", "app.kubernetes.io/instance="+tickets.name)
	for _, uid := range uids(s.pods(demo, tickets.name)) {
		if !slices.Contains(old, uid) {
			s.Errorf("pod %s is new", uid)
		}
	}
	s.awaitAnswer(tickets.url+discoveryPath, "")
	s.apply("", "toolhive/20-auth-config.yaml")
	s.await("four pods are Ready", func() error { return s.readyPods(tickets, 4) })
	// Without the field, ToolHive's operator leaves the Deployment as it is.
	s.applyChanged("toolhive/40-remote-proxy.yaml", ticketsURL, ticketsURL+"\n  replicas: 1")
	s.await("one pod is Ready", func() error { return s.readyPods(tickets, 1) })
	s.repair()
}

func (s *scenario) readyPods(w workload, want int) error {
	pods := slices.DeleteFunc(s.pods(demo, w.name), func(pod corev1.Pod) bool { return !ready(pod) })
	if len(pods) != want {
		return fmt.Errorf("%d pods are Ready", len(pods))
	}
	return nil
}

// override: at three in the morning somebody needs the edit at any price. Without
// the annotation the ReplicaSets would wait out their back-off.
func override(s *scenario) {
	s.refuse()
	s.wantAnswers()
	s.mode(guard.ModeOff)
	s.kubectl(demo, "annotate", "replicaset", "--all", "--overwrite", "x=y")
	for _, w := range workloads[:2] {
		s.awaitCrashLoop(w)
	}
	s.awaitConditions(demo, "BaselineScopesValid=False", auth, weather, tickets)
	s.repair()
}

// strict: the API server rejects every edit, with the cause.
func strict(s *scenario) {
	s.mode(guard.ModeStrict)
	pods := s.demoPods()
	const scopes = `{"spec":{"oidcConfigRef":{"scopes":["openid"]}}}`
	s.wantRejected(auth, `{"spec":{"embeddedAuthServer":{"baselineClientScopes":["openid","`+badScope+`"]}}}`, `does not support scope "`+badScope+`": `)
	s.wantRejected(office, virtualBaseline("openid", badScope), `VirtualMCPServer "office" does not support scope "`+badScope+`": `)
	s.wantRejected(weather, scopes, `MCPServer "weather" does not support scope "offline_access": `)
	s.wantRejected(tickets, scopes, `MCPRemoteProxy "tickets" does not support scope "offline_access": `)
	s.samePods(pods)
	s.awaitConditions(demo, "BaselineScopesValid=True", guarded...)
}

// wantRejected patches an object, which the API server must reject.
func (s *scenario) wantRejected(object, change, message string) {
	s.Helper()
	output, err := s.try(demo, "", "patch", object, "--type", "merge", "--patch", change)
	if err == nil || !strings.Contains(output, "denied request: ") || !strings.Contains(output, message) {
		s.Fatalf("the edit of %s was not rejected as it should be: %s", object, output)
	}
}

// remove removes the guard as its docs say, and looks for what is left.
func remove(s *scenario) {
	const cleanup = "dist/guard-cleanup.yaml"
	pods := s.demoPods()
	s.kubectl(ownNamespace, "scale", "deployment", "scopegate-guard", "--replicas", "0")
	s.kubectl("", "replace", "--force", "--filename", cleanup)
	s.kubectl(ownNamespace, "wait", "--for=condition=Complete", "job/scopegate-guard-cleanup", "--timeout", "2m")
	s.kubectl(ownNamespace, "logs", "job/scopegate-guard-cleanup")
	s.kubectl("", "delete", "--filename", guardManifest, "--wait", "--timeout", "2m")
	listable, err := s.run(ctx, nil, "api-resources", "--verbs", "list", "--output", "name")
	s.must(err)
	// Events go by themselves, and metrics are of what was there.
	stored := slices.DeleteFunc(strings.Fields(listable), func(resource string) bool {
		return strings.HasPrefix(resource, "events") || resource == "componentstatuses" || strings.HasSuffix(resource, ".metrics.k8s.io")
	})
	left, err := s.run(ctx, nil, "get", strings.Join(stored, ","), "--all-namespaces", "--output", "name")
	s.must(err)
	for object := range strings.Lines(left) {
		if strings.Contains(object, "scopegate") {
			s.Errorf("%s is left", object)
		}
	}
	for _, object := range guarded {
		if s.message(object) != "" {
			s.Errorf("%s still has the condition", object)
		}
	}
	s.samePods(pods)
	s.kubectl(demo, "get", "mcpservers,mcpremoteproxies,virtualmcpservers,pods")
}
