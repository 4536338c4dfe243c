//go:build e2e

package e2e

import (
	"errors"
	"fmt"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/internal/condition"
	"github.com/scopegate/scopegate/test/e2e/chart"
)

const (
	demo = "mcp-demo"
	// badScope is in no consumer's scopes. Every bad scope of the tests starts so.
	badScope  = badScopes + "read"
	badScopes = "calendar."
	// Texts of the manifests.
	baseline   = "baselineClientScopes: [openid"
	ticketsURL = "resourceUrl: https://tickets.example.com/mcp"
	// ToolHive's operator writes the checksum of a run config to its ConfigMap and to
	// the template of the pods.
	contentChecksumAnnotation   = "toolhive.stacklok.dev/content-checksum"
	runConfigChecksumAnnotation = "toolhive.stacklok.dev/runconfig-checksum"
	// A Deployment and its newest ReplicaSet have the same revision.
	revisionAnnotation = "deployment.kubernetes.io/revision"
)

// workload is one of testdata/toolhive that runs an auth server. It has a
// Deployment of its name, and a ConfigMap in which ToolHive's operator keeps its
// run config.
type workload struct {
	object, name, configMap, url string
}

var workloads = []workload{
	{weather, "weather", "weather-runconfig", "http://mcp-weather-proxy." + demo + ":8080"},
	{tickets, "tickets", "tickets-runconfig", "http://mcp-tickets-remote-proxy." + demo + ":8080"},
	{office, "office", "office-vmcp-config", "http://vmcp-office." + demo + ":4483"},
}

// guarded are the objects that have the condition.
var guarded = []string{auth, weather, tickets, office}

// installToolHive installs ToolHive's CRDs and its operator, unless the cluster
// has them, and makes the namespace of the workloads.
func (s *scenario) installToolHive() {
	s.Helper()
	if _, err := s.run(ctx, nil, "get", "crd", "mcpservers.toolhive.stacklok.dev"); err != nil {
		begin := time.Now()
		manifests, err := chart.Manifests(".")
		s.must(err)
		var files []string
		for _, manifest := range manifests {
			files = append(files, "--filename", manifest)
		}
		s.after(append([]string{"delete", "--ignore-not-found", "--wait", "--timeout", "2m"}, files...)...)
		_, err = s.run(ctx, nil, append([]string{"apply", "--server-side"}, files...)...)
		s.must(err)
		_, err = s.run(ctx, nil, "--namespace", chart.Namespace, "rollout", "status", "deployment/toolhive-operator", "--timeout", "2m")
		s.must(err)
		timed(begin, "ToolHive's operator is Ready")
	}
	// It goes before the operator, which removes its finalizers.
	s.newNamespace(demo, nil)
}

// withoutGuard shows what happens without the guard: ToolHive's own operator
// gets the same manifests.
func withoutGuard(s *scenario) {
	s.say("Three workloads whose baseline has %s, which none of their auth servers supports.", badScope)
	s.applyChanged("toolhive/*.yaml", baseline, baseline+", "+badScope)
	s.crashLoops()

	s.say("The baseline is repaired, and the workloads become Ready.")
	s.goodWorkloads()
	s.kubectl(demo, "get", "pods")

	s.say("The same mistake as an edit of what runs.")
	s.applyChanged("toolhive/*.yaml", baseline, baseline+", "+badScope)
	s.crashLoops()
}

// goodWorkloads applies the unchanged manifests, and waits until every workload
// runs from them.
func (s *scenario) goodWorkloads() {
	s.Helper()
	s.apply("", "toolhive")
	s.awaitRolled(false, workloads...)
	s.awaitConditions(demo, "Ready", weather, tickets, office)
}

// crashLoops waits until a pod of each workload is in CrashLoopBackOff, and shows
// every status meanwhile. None may name the cause.
func (s *scenario) crashLoops() {
	s.Helper()
	for _, w := range workloads {
		s.awaitCrashLoop(w)
	}
	s.kubectl(demo, "get", "pods")
	s.kubectl(demo, "get", "mcpexternalauthconfigs,mcpservers,mcpremoteproxies,virtualmcpservers")
	for _, object := range guarded {
		if output := s.kubectl(demo, "get", object, "--output", allConditions); strings.Contains(output, badScope) {
			s.Fatalf("%s names the cause by itself", object)
		}
	}
	s.say("The cause is in the logs of the pods alone.")
	for _, w := range workloads {
		// The current attempt may not have logged anything yet.
		log := s.kubectl(demo, "logs", s.awaitCrashLoop(w), "--previous", "--tail", "3")
		if !strings.Contains(log, badScope) || !strings.Contains(log, "which is not in scopes_supported") {
			s.Fatal("the log does not name the cause")
		}
	}
}

// awaitRolled waits until workloads run from a run config that names a bad scope, or
// that names none, in one pod that is available and no other.
func (s *scenario) awaitRolled(bad bool, of ...workload) {
	s.Helper()
	for _, w := range of {
		s.await(w.name+" runs from its run config, in one pod", func() error { return s.rolled(w, bad) })
	}
}

func (s *scenario) configMap(w workload) (config corev1.ConfigMap, err error) {
	return config, s.client.Get(ctx, client.ObjectKey{Namespace: demo, Name: w.configMap}, &config)
}

// rolled returns what is still missing until a workload has rolled.
func (s *scenario) rolled(w workload, bad bool) error {
	config, err := s.configMap(w)
	if err != nil {
		return err
	}
	if strings.Contains(fmt.Sprint(config.Data), badScopes) != bad {
		return fmt.Errorf("ConfigMap %s has the run config from before", w.configMap)
	}
	var deployment appsv1.Deployment
	if err := s.client.Get(ctx, client.ObjectKey{Namespace: demo, Name: w.name}, &deployment); err != nil {
		return err
	}
	if deployment.Spec.Template.Annotations[runConfigChecksumAnnotation] != config.Annotations[contentChecksumAnnotation] {
		return fmt.Errorf("Deployment %s has another run config than ConfigMap %s", w.name, w.configMap)
	}
	if done, message := condition.Progress(&deployment); !done {
		return errors.New(message)
	}
	return nil
}
