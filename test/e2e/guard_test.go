//go:build e2e

package e2e

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/scopegate/scopegate/internal/guard"
	"github.com/scopegate/scopegate/test/e2e/chart"
)

const (
	guardManifest = "dist/guard.yaml"
	holdManifest  = "dist/guard-hold.yaml"
	// mistakes are the objects with a bad baseline: the config, and office.
	mistakes       = 2
	heldConfigMaps = guard.HeldLabel + "=true"
)

// installGuard installs the guard, with the hold if the cluster supports it, and
// waits until all conditions are True.
func (s *scenario) installGuard() {
	s.Helper()
	_, err := s.importImages(guardManifest)
	s.must(err)
	manifests := []string{"--filename", guardManifest}
	if s.canHold() {
		manifests = append(manifests, "--filename", holdManifest)
	}
	s.after(append([]string{"delete", "--ignore-not-found", "--wait", "--timeout", "2m"}, manifests...)...)
	s.kubectl("", append([]string{"apply", "--server-side"}, manifests...)...)
	s.kubectl(ownNamespace, "rollout", "status", "deployment/scopegate-guard", "--timeout", "2m")
	s.goodWorkloads()
	s.awaitConditions(demo, "BaselineScopesValid=True", guarded...)
}

// canHold reports whether the API server has MutatingAdmissionPolicy v1.
func (s *scenario) canHold() bool {
	s.Helper()
	resources, err := s.clientset.Discovery().ServerResourcesForGroupVersion("admissionregistration.k8s.io/v1")
	s.must(err)
	return slices.ContainsFunc(resources.APIResources, func(resource metav1.APIResource) bool { return resource.Kind == "MutatingAdmissionPolicy" })
}

// warn: as installed, the guard makes kubectl warn. The edit is made, and the
// condition reports it.
func warn(s *scenario) {
	s.mode(guard.ModeWarn)
	if said := s.applyMistake(); strings.Count(said, "Warning: ") < mistakes {
		s.Fatal("kubectl was not warned")
	}
	s.awaitConditions(demo, "BaselineScopesValid=False", guarded...)
	s.showGuarded()
	s.awaitConfigMaps(badScope) // Or goodWorkloads may find the good ones from before.
	s.goodWorkloads()
	s.awaitConditions(demo, "BaselineScopesValid=True", guarded...)
}

// deny: with one label on the namespace, the guard rejects the edit, and names
// the offending scope.
func deny(s *scenario) {
	pods := s.demoPods()
	s.mode(guard.ModeDeny)
	scopes := fmt.Sprintf(`"baselineClientScopes":["openid",%q]`, badScope)
	for _, edit := range []struct{ object, change string }{
		{auth, `{"spec":{"embeddedAuthServer":{` + scopes + `}}}`}, {office, `{"spec":{"authServerConfig":{` + scopes + `}}}`},
	} {
		said, err := s.try(demo, "", "patch", edit.object, "--type", "merge", "--patch", edit.change)
		if err == nil || !strings.Contains(said, fmt.Sprintf("denied request: scope %q", badScope)) {
			s.Fatalf("the edit of %s was not refused as it should be: %s", edit.object, said)
		}
	}
	s.awaitConditions(demo, "BaselineScopesValid=True", guarded...)
	s.samePods(pods)
}

// storedBefore: a config that was bad before the namespace denied is not held, and
// the condition does not say that it is.
func storedBefore(s *scenario) {
	s.mode(guard.ModeOff)
	s.applyMistake()
	for _, w := range workloads {
		s.awaitCrashLoop(demo, w.name)
	}
	s.mode(guard.ModeDeny)
	s.say("Something else of the bad configs changes, and ToolHive's operator writes them anew.")
	const provider = `"upstreamProviders":[{"name":"company","type":"oauth2","oauth2Config":{"authorizationEndpoint":"https://idp.example.com/authorize","tokenEndpoint":"https://idp.example.com/token","clientId":"another","redirectUri":"https://auth.example.com/oauth/callback","clientSecretRef":{"name":"idp-client","key":"client-secret"},"userInfo":{"endpointUrl":"https://idp.example.com/userinfo"}}}]`
	s.patch(demo, auth, `{"spec":{"embeddedAuthServer":{`+provider+`}}}`)
	s.patch(demo, office, `{"spec":{"authServerConfig":{`+provider+`}}}`)
	s.awaitConfigMaps("another")
	s.awaitConditions(demo, "BaselineScopesValid=False", guarded...)
	s.wantHeld()
	for _, w := range workloads {
		if said := s.message(w.object); strings.Contains(said, "held") {
			s.Errorf("the condition of %s says that it is held: %s", w.object, said)
		}
	}
	s.goodWorkloads()
}

// hold: the policy on ToolHive's ConfigMaps holds an edit that slips past the
// policies on the objects.
func hold(s *scenario) {
	s.requireHold()
	s.mode(guard.ModeDeny)
	pods, revisions := s.demoPods(), s.revisions()
	s.letSlip()
	s.applyMistake()
	s.awaitConditions(demo, "BaselineScopesValid=False", guarded...)
	s.awaitHeld()
	s.showGuarded()
	s.kubectl(demo, "get", "mcpservers,mcpremoteproxies,virtualmcpservers,pods")
	s.samePods(pods)
	if diff := cmp.Diff(revisions, s.revisions()); diff != "" {
		s.Fatalf("a Deployment has rolled (-want +got):\n%s", diff)
	}

	s.say("Pods that are deleted meanwhile come back with the last config that was good.")
	for _, w := range workloads {
		old := uids(s.pods(demo, w.name))
		s.kubectl(demo, "delete", "pod", "--selector", "pod-template-hash,app.kubernetes.io/instance="+w.name)
		s.awaitNewPod(demo, w.name, old)
		s.awaitAnswer(w.url+discoveryPath, "")
	}

	s.say("What is created meanwhile from the bad config gets no ConfigMap, and no pod.")
	s.applyChanged("", "toolhive/30-mcp-server.yaml", "name: weather", "name: storm")
	s.after("--namespace", demo, "delete", "mcpserver", "storm", "--ignore-not-found")
	s.await("ToolHive's operator says why", func() error {
		log, err := s.run(ctx, nil, "--namespace", chart.Namespace, "logs", "deployment/toolhive-operator", "--tail", "100")
		if err == nil && !strings.Contains(log, "scopegate-run-configs") {
			err = errors.New("its log does not name the policy")
		}
		return err
	})
	s.kubectl(demo, "get", "mcpserver", "storm")
	if said := s.kubectl(demo, "get", "configmaps,pods", "--output", "name"); strings.Contains(said, "storm") {
		s.Fatal("something was made")
	}
	s.kubectl(demo, "delete", "mcpserver", "storm")

	s.say("The repair: the consumers get the scope that the baseline has. They roll with no other nudge, and no more often than without the guard.")
	const scopes = "scopes: [openid, profile, offline_access"
	s.applyChanged("", "toolhive/*.yaml", baseline, baseline+", "+badScope, scopes, scopes+", "+badScope,
		// tickets has no scopes of its own yet.
		ticketsURL, ticketsURL+"\n    "+scopes+", "+badScope+"]")
	s.awaitConditions(demo, "BaselineScopesValid=True", guarded...)
	s.awaitRolled(names(true))
	for _, w := range workloads {
		// The Service may lead to the old pod while that ends.
		s.awaitAnswer(w.url+discoveryPath, badScope)
		if rolls := s.revision(demo, w.name) - revisions[w.name]; rolls < 1 || rolls > w.rolls {
			s.Errorf("%s has rolled %d times, want 1 to %d", w.name, rolls, w.rolls)
		}
	}
	s.wantHeld()
}

func (s *scenario) requireHold() {
	s.Helper()
	if !s.canHold() {
		s.Skip("the API server has no MutatingAdmissionPolicy v1 (Kubernetes 1.36), so nothing is held")
	}
}

// letSlip deletes the bindings that reject an edit, until the scenario has ended. An
// edit then slips past the policies, as one of two at the same moment does.
func (s *scenario) letSlip() {
	s.Helper()
	s.say("The edit slips past: somebody has deleted the bindings of the policies on the objects.")
	s.undo = append(s.undo, func(context.Context) {
		s.goodWorkloads()
		s.kubectl("", "apply", "--server-side", "--filename", guardManifest)
	})
	arguments := []string{"delete", "validatingadmissionpolicybindings"}
	for _, policy := range guard.ValidatingPolicies {
		if policy != guard.RunConfigsPolicy {
			arguments = append(arguments, policy+"-"+guard.ModeDeny)
		}
	}
	s.kubectl("", arguments...)
	s.awaitMode("nothing refuses the edit", func(err error, _ string) bool { return err == nil })
}

// slipsPast: where the API server can't hold, an edit that slips past the policies
// rolls out. The condition names the cause, and the old pods stay.
func slipsPast(s *scenario) {
	if s.canHold() {
		s.Skip("the API server can hold what slips past")
	}
	s.mode(guard.ModeDeny)
	pods := s.demoPods()
	s.letSlip()
	s.applyMistake()
	s.awaitConditions(demo, "BaselineScopesValid=False", guarded...)
	for _, w := range workloads {
		s.awaitCrashLoop(demo, w.name)
	}
	s.showGuarded()
	s.kubectl(demo, "get", "mcpservers,mcpremoteproxies,virtualmcpservers,pods")
	for _, w := range workloads {
		if left := uids(s.pods(demo, w.name)); !slices.Contains(left, pods[w.name][0]) {
			s.Errorf("the old pod of %s is gone", w.name)
		}
		s.awaitAnswer(w.url+discoveryPath, "")
	}
	s.wantHeld()
	s.goodWorkloads()
	s.awaitConditions(demo, "BaselineScopesValid=True", guarded...)
}

// off: at three in the morning somebody needs the edit at any price.
func off(s *scenario) {
	s.mode(guard.ModeOff)
	s.applyMistake()
	s.awaitCrashLoop(demo, "weather")
	s.awaitConditions(demo, "BaselineScopesValid=False", guarded...)
	s.goodWorkloads()
}

// remove removes the guard as its docs say, and looks for what is left.
func remove(s *scenario) {
	const cleanup = "dist/guard-cleanup.yaml"
	pods := s.demoPods()
	s.kubectl(ownNamespace, "scale", "deployment", "scopegate-guard", "--replicas", "0")
	s.kubectl("", "apply", "--filename", cleanup)
	s.kubectl(ownNamespace, "wait", "--for=condition=Complete", "job/scopegate-guard-cleanup", "--timeout", "2m")
	s.kubectl(ownNamespace, "logs", "job/scopegate-guard-cleanup")
	s.kubectl("", "delete", "--filename", guardManifest, "--wait", "--timeout", "2m")
	if s.canHold() {
		s.kubectl("", "delete", "--filename", holdManifest, "--ignore-not-found")
	}
	left, err := s.everything()
	s.must(err)
	for object := range left {
		if strings.Contains(object, "scopegate") {
			s.Errorf("%s is left", object)
		}
	}
	for _, object := range guarded {
		if said := s.kubectl(demo, "get", object, "--output", "jsonpath={.status.conditions[*].type}"); strings.Contains(said, "BaselineScopesValid") {
			s.Errorf("%s still has the condition", object)
		}
	}
	s.samePods(pods)
	s.kubectl(demo, "get", "mcpservers,mcpremoteproxies,virtualmcpservers,pods")
}

// mode labels the namespace, and waits until the API server follows it.
func (s *scenario) mode(mode string) {
	s.Helper()
	s.kubectl("", "label", "namespace", demo, guard.ModeLabel+"="+mode, "--overwrite")
	s.awaitMode("the API server follows it", func(err error, said string) bool {
		warned := strings.Count(said, "Warning: ")
		switch mode {
		case guard.ModeDeny:
			return err != nil && strings.Contains(said, "denied request: scope ")
		case guard.ModeWarn:
			return err == nil && warned >= mistakes
		default:
			return err == nil && warned == 0
		}
	})
}

// awaitMode tries a mistake by dry run until ok accepts the answer. It is not the
// mistake of the tests: that may be stored already, and then it is not rejected.
func (s *scenario) awaitMode(what string, ok func(err error, said string) bool) {
	s.Helper()
	mistake := s.changed("toolhive/*.yaml", baseline, baseline+", files.write")
	s.await(what, func() error {
		said, err := s.run(ctx, strings.NewReader(mistake), "apply", "--dry-run=server", "--filename", "-")
		if ok(err, said) {
			return nil
		}
		return errors.New("kubectl says " + said)
	})
}

// awaitHeld waits until the condition of each workload says that it is held, and
// checks that exactly their ConfigMaps have the label.
func (s *scenario) awaitHeld() {
	s.Helper()
	var configMaps []string
	for _, w := range workloads {
		s.await(w.object+" is called held", func() error {
			if said := s.message(w.object); !strings.HasPrefix(said, "held: ") {
				return errors.New("the condition says " + said)
			}
			return nil
		})
		configMaps = append(configMaps, w.configMap)
	}
	s.wantHeld(configMaps...)
}

// wantHeld checks that exactly these ConfigMaps are held.
func (s *scenario) wantHeld(want ...string) {
	s.Helper()
	said := s.kubectl(demo, "get", "configmaps", "--selector", heldConfigMaps, "--output", "name")
	got := strings.Fields(strings.ReplaceAll(said, "configmap/", ""))
	slices.Sort(want)
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		s.Fatalf("other ConfigMaps are held (-want +got):\n%s", diff)
	}
}

func (s *scenario) message(object string) string {
	s.Helper()
	said, err := s.run(ctx, nil, "--namespace", demo, "get", object, "--output", `jsonpath={.status.conditions[?(@.type=="BaselineScopesValid")].message}`)
	s.must(err)
	return said
}

// showGuarded shows what ToolHive says of each object, and what the guard does.
func (s *scenario) showGuarded() {
	s.Helper()
	for _, object := range guarded {
		s.kubectl(demo, "get", object, "--output",
			`jsonpath={range .status.conditions[?(@.type=="Ready")]}{.type}={.status}  {.reason}: {.message}{"\n"}{end}{range .status.conditions[?(@.type=="BaselineScopesValid")]}{.type}={.status}  {.reason}: {.message}{"\n"}{end}`)
	}
}

// demoPods returns the pods of each workload's Deployment.
func (s *scenario) demoPods() map[string][]string {
	s.Helper()
	pods := map[string][]string{}
	for _, w := range workloads {
		pods[w.name] = uids(s.pods(demo, w.name))
	}
	return pods
}

func (s *scenario) samePods(want map[string][]string) {
	s.Helper()
	if diff := cmp.Diff(want, s.demoPods()); diff != "" {
		s.Fatalf("there are other pods (-want +got):\n%s", diff)
	}
}

// revisions returns how often each workload's Deployment has rolled.
func (s *scenario) revisions() map[string]int {
	s.Helper()
	revisions := map[string]int{}
	for _, w := range workloads {
		revisions[w.name] = s.revision(demo, w.name)
	}
	return revisions
}
