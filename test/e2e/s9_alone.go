package main

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/scopegate/scopegate/test/e2e/toolhive"
)

const (
	demoNamespace = "mcp-demo"
	// badScope is in no consumer's scopes.
	badScope = "calendar.read"
	baseline = "baselineClientScopes: [openid"
)

// workloads are those of testdata/toolhive that run an auth server. Each has a
// Deployment of its name.
var workloads = []string{"mcpserver/weather", "mcpremoteproxy/tickets", "virtualmcpserver/office"}

// toolHiveAlone shows what there is without scopegate: ToolHive's own operator
// on the very same manifests.
func toolHiveAlone(s *suite) {
	s.toolHive()
	s.say("Three workloads whose baseline has %s, which none of their auth servers supports.", badScope)
	s.applyToolHive(badScope)
	s.crashLoops()

	s.say("The baseline is repaired, and the workloads become Ready.")
	s.goodToolHive()
	s.kubectl("--namespace", demoNamespace, "get", "pods")

	s.say("The same mistake as an edit of what runs.")
	s.applyToolHive(badScope)
	s.crashLoops()
}

// toolHive installs ToolHive's operator, once.
func (s *suite) toolHive() {
	if !s.hasToolHive {
		s.must(toolhive.Install(s.ctx, s.cluster))
		s.hasToolHive = true
	}
}

// goodToolHive applies the manifests as they are, and waits until all that runs
// is what they say.
func (s *suite) goodToolHive() {
	s.applyToolHive("")
	s.awaitRolledByToolHive(false)
	for _, object := range workloads {
		s.kubectl("--namespace", demoNamespace, "wait", "--for=condition=Ready", object, "--timeout=2m")
	}
}

// applyToolHive applies the manifests as a user does, with one more scope in each
// baseline if it is not empty, and returns what kubectl says.
func (s *suite) applyToolHive(scope string) string {
	folder := testdata("toolhive")
	if scope != "" {
		folder = s.folderWith(folder, baseline, baseline+", "+scope)
	}
	return s.kubectl("apply", "--filename", folder)
}

// folderWith is a copy of a folder with something replaced in its files.
func (s *suite) folderWith(folder, old, replaced string) string {
	files, err := filepath.Glob(filepath.Join(folder, "*.yaml"))
	s.must(err)
	copied := filepath.Join(s.cluster.Folder, filepath.Base(folder)+"-changed")
	s.must(os.MkdirAll(copied, 0o700))
	for _, file := range files {
		text, err := os.ReadFile(file) //nolint:gosec // Our own testdata.
		s.must(err)
		s.must(os.WriteFile(filepath.Join(copied, filepath.Base(file)), []byte(strings.ReplaceAll(string(text), old, replaced)), 0o600))
	}
	return copied
}

// crashLoops waits until a pod of each workload is in CrashLoopBackOff, and shows
// what every status says of it meanwhile: nothing of the cause.
func (s *suite) crashLoops() {
	for _, object := range workloads {
		_, deployment, _ := strings.Cut(object, "/")
		s.await("a pod of "+deployment+" is in CrashLoopBackOff", func() string { return s.noneCrashing(demoNamespace, deployment) })
	}
	s.kubectl("--namespace", demoNamespace, "get", "pods")
	s.kubectl("--namespace", demoNamespace, "get", "mcpexternalauthconfigs,mcpservers,mcpremoteproxies,virtualmcpservers")
	for _, object := range append([]string{auth}, workloads...) {
		const lines = `jsonpath={range .status.conditions[*]}{.type}={.status}  {.reason}: {.message}{"\n"}{end}`
		if said := s.kubectl("--namespace", demoNamespace, "get", object, "--output", lines); strings.Contains(said, badScope) {
			s.fail("%s tells the cause by itself", object)
		}
	}
	s.say("The cause is in the logs of the pods alone.")
	for _, object := range workloads {
		_, deployment, _ := strings.Cut(object, "/")
		s.wantLastLog(deployment)
	}
}

// wantLastLog shows the end of the log of a workload's pod that crash-loops.
func (s *suite) wantLastLog(deployment string) {
	for _, pod := range s.pods(demoNamespace, deployment) {
		if notCrashing(pod) != "" {
			continue
		}
		log := s.kubectl("--namespace", demoNamespace, "logs", pod.Name, "--previous", "--tail", "3")
		if !strings.Contains(log, badScope) || !strings.Contains(log, "which is not in scopes_supported") {
			s.fail("the log does not tell the cause")
		}
	}
}
