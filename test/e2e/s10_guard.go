package main

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/scopegate/scopegate/test/e2e/node"
)

// modeLabel on a namespace says what the guard does there.
const modeLabel = "scopegate.dev/guard"

// mistakes are the objects with a bad baseline: the config, and office.
const mistakes = 2

// guard: the same manifests and the same mistake as without it.
func guard(s *suite) {
	s.toolHive()
	s.goodToolHive()
	s.installGuard()

	s.say("As installed, it warns at kubectl. The edit is made, and the condition tells.")
	s.mode("warn")
	if said := s.applyToolHive(badScope); strings.Count(said, "Warning: ") < mistakes {
		s.fail("kubectl was not warned")
	}
	s.awaitGuarded("False")
	s.showGuarded()
	s.goodToolHive()
	s.awaitGuarded("True")

	pods := s.demoPods()
	s.say("With one label on the namespace, it refuses the edit.")
	s.mode("deny")
	s.refused()
	s.samePods(pods)

	s.slipsPast(pods)

	s.say("At three in the morning somebody needs the edit at any price: the label is set to off.")
	s.mode("off")
	s.patch(demoNamespace, "mcpremoteproxy/tickets", `{"spec":{"oidcConfigRef":{"scopes":null}}}`)
	s.applyToolHive(badScope)
	s.await("a pod of weather is in CrashLoopBackOff", func() string { return s.noneCrashing(demoNamespace, "weather") })
	s.awaitGuarded("False")
	s.goodToolHive()

	s.removeGuard()
}

// slipsPast: what no policy on the objects has stopped is held by those on what
// ToolHive's operator makes of them.
func (s *suite) slipsPast(pods map[string]string) {
	s.say("The edit slips past: somebody has deleted the bindings of the policies on the objects.")
	s.kubectl("delete", "validatingadmissionpolicybindings", "--selector", modeLabel+" in (deny,warn,default)")
	s.awaitMode("nothing refuses the edit", func(err error, _ string) bool { return err == nil })
	s.applyToolHive(badScope)
	s.awaitGuarded("False")
	for _, object := range workloads {
		s.await(object+" is told to be held", func() string { return s.notHeld(object) })
	}
	s.showGuarded()
	s.kubectl("--namespace", demoNamespace, "get", "configmaps", "--selector", "scopegate.dev/held=true")
	s.kubectl("--namespace", demoNamespace, "get", "mcpservers,mcpremoteproxies,virtualmcpservers,pods")
	s.samePods(pods)

	s.say("A pod that is deleted meanwhile comes back with the last config that was good.")
	old := s.podsOf("weather")
	s.kubectl("--namespace", demoNamespace, "delete", "pod", slices.Sorted(maps.Keys(old))[0])
	s.await("its successor is Ready", func() string { return s.notSucceeded("weather", old) })
	s.awaitAnswer("http://mcp-weather-proxy." + demoNamespace + ":8080" + discoveryPath)

	s.say("The repair: the consumers get the scope that the baseline has. They roll with no other nudge.")
	for _, object := range workloads {
		reference := `"oidcConfigRef":{"scopes":["openid","profile","offline_access",` + fmt.Sprintf("%q", badScope) + `]}`
		if strings.HasPrefix(object, "virtualmcpserver/") {
			reference = `"incomingAuth":{` + reference + `}`
		}
		s.patch(demoNamespace, object, `{"spec":{`+reference+`}}`)
	}
	s.awaitGuarded("True")
	s.awaitRolledByToolHive(true)
	address := "http://mcp-weather-proxy." + demoNamespace + ":8080" + discoveryPath
	s.awaitAnswer(address)
	// The Service may lead to the old pod while that ends.
	s.await("discovery lists "+badScope, func() string { return s.lacks(address, badScope) })
	if held := s.kubectl("--namespace", demoNamespace, "get", "configmaps", "--selector", "scopegate.dev/held=true"); !strings.Contains(held, "No resources found") {
		s.fail("something is still held")
	}
	s.say("The bindings are restored.")
	s.kubectl("apply", "--server-side", "--filename", s.options.guard)
}

// installGuard installs the guard, and waits until all conditions tell that all
// is well.
func (s *suite) installGuard() {
	text, err := os.ReadFile(s.options.guard)
	s.must(err)
	s.importImages(string(text))
	s.kubectl("apply", "--server-side", "--filename", s.options.guard)
	s.kubectl("--namespace", ownNamespace, "rollout", "status", "deployment/scopegate-guard", "--timeout", "2m")
	s.awaitGuarded("True")
}

// removeGuard removes the guard as its docs tell, and looks for what is left.
func (s *suite) removeGuard() {
	s.say("The guard is removed.")
	pods := s.demoPods()
	s.kubectl("--namespace", ownNamespace, "scale", "deployment", "scopegate-guard", "--replicas", "0")
	s.kubectl("apply", "--filename", s.options.cleanup)
	s.kubectl("--namespace", ownNamespace, "wait", "--for=condition=Complete", "job/scopegate-guard-cleanup", "--timeout", "2m")
	s.kubectl("--namespace", ownNamespace, "logs", "job/scopegate-guard-cleanup")
	s.kubectl("delete", "--filename", s.options.guard, "--wait", "--timeout", "2m")
	for object := range s.everything() {
		if strings.Contains(object, "scopegate") {
			s.fail("%s is left", object)
		}
	}
	for _, object := range guarded() {
		if _, err := s.condition(demoNamespace, object, "BaselineScopesValid"); err == nil {
			s.fail("%s still has the condition", object)
		}
	}
	s.samePods(pods)
	s.kubectl("--namespace", demoNamespace, "get", "mcpservers,mcpremoteproxies,virtualmcpservers,pods")
}

// mode labels the namespace, and waits until the API server goes by it.
func (s *suite) mode(mode string) {
	s.kubectl("label", "namespace", demoNamespace, modeLabel+"="+mode, "--overwrite")
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
func (s *suite) awaitMode(what string, ok func(err error, said string) bool) {
	folder := s.folderWith(testdata("toolhive"), baseline, baseline+", "+badScope)
	s.await(what, func() string {
		said, err := s.cluster.KubectlQuiet(s.ctx, nil, "apply", "--dry-run=server", "--filename", folder)
		if ok(err, said) {
			return ""
		}
		return "kubectl says " + said
	})
}

// refused makes the mistake in a config and in a VirtualMCPServer, each of which
// must be refused with the offending scope named.
func (s *suite) refused() {
	scopes := `"baselineClientScopes":["openid",` + fmt.Sprintf("%q", badScope) + `]`
	for _, edit := range []struct{ object, change string }{
		{auth, `{"spec":{"embeddedAuthServer":{` + scopes + `}}}`},
		{"virtualmcpserver/office", `{"spec":{"authServerConfig":{` + scopes + `}}}`},
	} {
		said, err := s.cluster.Kubectl(s.ctx, nil, "--namespace", demoNamespace, "patch", edit.object, "--type", "merge", "--patch", edit.change)
		if err == nil || !strings.Contains(said, "denied request: scope "+fmt.Sprintf("%q", badScope)) {
			s.fail("the edit of %s was not refused as it should be: %s", edit.object, said)
		}
	}
	s.awaitGuarded("True")
}

// guarded are the objects that have the condition.
func guarded() []string { return append([]string{auth}, workloads...) }

func (s *suite) awaitGuarded(want string) {
	for _, object := range guarded() {
		s.awaitCondition(demoNamespace, object, "BaselineScopesValid", want)
	}
}

// showGuarded shows what ToolHive says of each object, and what the guard does.
func (s *suite) showGuarded() {
	for _, object := range guarded() {
		s.kubectl("--namespace", demoNamespace, "get", object, "--output",
			`jsonpath={range .status.conditions[?(@.type=="Ready")]}{.type}={.status}  {.reason}: {.message}{"\n"}{end}{range .status.conditions[?(@.type=="BaselineScopesValid")]}{.type}={.status}  {.reason}: {.message}{"\n"}{end}`)
	}
}

func (s *suite) notHeld(object string) string {
	got, err := s.condition(demoNamespace, object, "BaselineScopesValid")
	switch {
	case err != nil:
		return err.Error()
	case !strings.HasPrefix(got.message, "held since "):
		return "the condition says " + got.message
	default:
		return ""
	}
}

// importImages puts the images onto the node that a manifest names.
func (s *suite) importImages(manifest string) map[string]string {
	images := s.imagesIn(manifest)
	for archive, image := range images {
		begin := time.Now()
		s.must(s.cluster.Import(s.ctx, node.Image{Name: image, Archive: s.archive(archive)}))
		s.cluster.Timed(begin, "the node has the image "+image)
	}
	return images
}
