//go:build e2e

package e2e

import (
	"errors"
	"fmt"
	"strings"

	"github.com/google/go-cmp/cmp"
)

const (
	// modeLabel on a namespace says what the guard does there.
	modeLabel     = "scopegate.dev/guard"
	guardManifest = "dist/guard.yaml"
	// mistakes are the objects with a bad baseline: the config, and office.
	mistakes = 2
)

// installGuard installs the guard, and waits until all conditions tell that all
// is well.
func (s *scenario) installGuard() {
	s.Helper()
	_, err := s.importImages(guardManifest)
	s.must(err)
	s.after("delete", "--filename", guardManifest, "--ignore-not-found", "--wait", "--timeout", "2m")
	s.kubectl("", "apply", "--server-side", "--filename", guardManifest)
	s.kubectl(ownNamespace, "rollout", "status", "deployment/scopegate-guard", "--timeout", "2m")
	s.goodWorkloads()
	s.awaitConditions(demo, "BaselineScopesValid=True", guarded...)
}

// warn: as installed, it warns at kubectl. The edit is made, and the condition
// tells.
func warn(s *scenario) {
	s.mode("warn")
	if said := s.applyMistake(); strings.Count(said, "Warning: ") < mistakes {
		s.Fatal("kubectl was not warned")
	}
	s.awaitConditions(demo, "BaselineScopesValid=False", guarded...)
	s.showGuarded()
	s.goodWorkloads()
	s.awaitConditions(demo, "BaselineScopesValid=True", guarded...)
}

// deny: with one label on the namespace, it refuses the edit, with the offending
// scope named.
func deny(s *scenario) {
	pods := s.demoPods()
	s.mode("deny")
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

// hold: what no policy on the objects has stopped is held by those on what
// ToolHive's operator makes of them.
func hold(s *scenario) {
	s.mode("deny")
	pods, revisions := s.demoPods(), s.revisions()
	s.say("The edit slips past: somebody has deleted the bindings of the policies on the objects.")
	s.kubectl("", "delete", "validatingadmissionpolicybindings", "--selector", modeLabel+" in (deny,warn,default)")
	s.awaitMode("nothing refuses the edit", func(err error, _ string) bool { return err == nil })
	s.applyMistake()
	s.awaitConditions(demo, "BaselineScopesValid=False", guarded...)
	s.awaitHeld()
	s.showGuarded()
	s.kubectl(demo, "get", "configmaps", "--selector", "scopegate.dev/held=true")
	s.kubectl(demo, "get", "mcpservers,mcpremoteproxies,virtualmcpservers,pods")
	s.samePods(pods)

	s.say("Pods that are deleted meanwhile come back with the last config that was good.")
	for _, w := range workloads {
		old := uids(s.pods(demo, w.name))
		s.kubectl(demo, "delete", "pod", "--selector", "pod-template-hash,app.kubernetes.io/instance="+w.name)
		s.awaitNewPod(demo, w.name, old)
		s.awaitAnswer(w.url+discoveryPath, "")
	}

	s.say("The repair: the consumers get the scope that the baseline has. They roll once, with no other nudge.")
	s.patchScopes(fmt.Sprintf(`["openid","profile","offline_access",%q]`, badScope))
	s.awaitConditions(demo, "BaselineScopesValid=True", guarded...)
	s.awaitRolled(true)
	for _, w := range workloads {
		// The Service may lead to the old pod while that ends.
		s.awaitAnswer(w.url+discoveryPath, badScope)
		revisions[w.name]++
	}
	if diff := cmp.Diff(revisions, s.revisions()); diff != "" {
		s.Fatalf("the Deployments did not roll once (-want +got):\n%s", diff)
	}
	if held := s.kubectl(demo, "get", "configmaps", "--selector", "scopegate.dev/held=true"); !strings.Contains(held, "No resources found") {
		s.Fatal("something is still held")
	}
	s.say("All is as it was, and the bindings are restored.")
	s.goodWorkloads()
	s.patch(demo, tickets, `{"spec":{"oidcConfigRef":{"scopes":null}}}`)
	s.kubectl("", "apply", "--server-side", "--filename", guardManifest)
}

// off: at three in the morning somebody needs the edit at any price.
func off(s *scenario) {
	s.mode("off")
	s.applyMistake()
	s.awaitCrashLoop(demo, "weather")
	s.awaitConditions(demo, "BaselineScopesValid=False", guarded...)
	s.goodWorkloads()
}

// remove removes the guard as its docs tell, and looks for what is left.
func remove(s *scenario) {
	const cleanup = "dist/guard-cleanup.yaml"
	pods := s.demoPods()
	s.kubectl(ownNamespace, "scale", "deployment", "scopegate-guard", "--replicas", "0")
	s.kubectl("", "apply", "--filename", cleanup)
	s.kubectl(ownNamespace, "wait", "--for=condition=Complete", "job/scopegate-guard-cleanup", "--timeout", "2m")
	s.kubectl(ownNamespace, "logs", "job/scopegate-guard-cleanup")
	s.kubectl("", "delete", "--filename", guardManifest, "--wait", "--timeout", "2m")
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

// mode labels the namespace, and waits until the API server goes by it.
func (s *scenario) mode(mode string) {
	s.Helper()
	s.kubectl("", "label", "namespace", demo, modeLabel+"="+mode, "--overwrite")
	s.awaitMode("the API server goes by it", func(err error, said string) bool {
		warned := strings.Count(said, "Warning: ")
		switch mode {
		case "deny":
			return err != nil && strings.Contains(said, "denied request: scope ")
		case "warn":
			return err == nil && warned >= mistakes
		default:
			return err == nil && warned == 0
		}
	})
}

// awaitMode tries the mistake by dry run until the answer is as wanted.
func (s *scenario) awaitMode(what string, ok func(err error, said string) bool) {
	s.Helper()
	mistake := s.changed("toolhive/*.yaml", baseline, baseline+", "+badScope)
	s.await(what, func() error {
		said, err := s.run(ctx, strings.NewReader(mistake), "apply", "--dry-run=server", "--filename", "-")
		if ok(err, said) {
			return nil
		}
		return errors.New("kubectl says " + said)
	})
}

// patchScopes sets the scopes of each workload.
func (s *scenario) patchScopes(scopes string) {
	s.Helper()
	reference := `"oidcConfigRef":{"scopes":` + scopes + `}`
	s.patch(demo, weather, `{"spec":{`+reference+`}}`)
	s.patch(demo, tickets, `{"spec":{`+reference+`}}`)
	s.patch(demo, office, `{"spec":{"incomingAuth":{`+reference+`}}}`)
}

// awaitHeld waits until the condition of each workload says that it is held.
func (s *scenario) awaitHeld() {
	s.Helper()
	for _, w := range workloads {
		s.await(w.object+" is told to be held", func() error {
			said, err := s.run(ctx, nil, "--namespace", demo, "get", w.object, "--output", `jsonpath={.status.conditions[?(@.type=="BaselineScopesValid")].message}`)
			if err == nil && !strings.HasPrefix(said, "held since ") {
				err = errors.New("the condition says " + said)
			}
			return err
		})
	}
}

// showGuarded shows what ToolHive says of each object, and what the guard does.
func (s *scenario) showGuarded() {
	s.Helper()
	for _, object := range guarded {
		s.kubectl(demo, "get", object, "--output",
			`jsonpath={range .status.conditions[?(@.type=="Ready")]}{.type}={.status}  {.reason}: {.message}{"\n"}{end}{range .status.conditions[?(@.type=="BaselineScopesValid")]}{.type}={.status}  {.reason}: {.message}{"\n"}{end}`)
	}
}

// demoPods are the pods of each workload's Deployment.
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

// revisions says how often each workload's Deployment has rolled.
func (s *scenario) revisions() map[string]int {
	s.Helper()
	revisions := map[string]int{}
	for _, w := range workloads {
		revisions[w.name] = s.revision(demo, w.name)
	}
	return revisions
}
