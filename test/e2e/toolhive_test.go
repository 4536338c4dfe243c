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
	"github.com/scopegate/scopegate/internal/guard"
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
		manifests, err := chart.Manifests(root)
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
	s.newNamespace(demo, nil)
	// Its operator has to be there for its finalizers.
	s.after("delete", "namespace", demo, "--timeout", "2m")
}

// withoutGuard shows what happens without the guard: ToolHive's own operator
// gets the same manifests.
func withoutGuard(s *scenario) {
	s.say("Three workloads whose baseline has %s, which none of their auth servers supports.", badScope)
	s.applyMistake()
	s.crashLoops()

	s.say("The baseline is repaired, and the workloads become Ready.")
	s.goodWorkloads()
	s.kubectl(demo, "get", "pods")

	s.say("The same mistake as an edit of what runs.")
	s.applyMistake()
	s.crashLoops()
}

// applyMistake adds a scope to each baseline, and returns what kubectl says.
func (s *scenario) applyMistake() string {
	s.Helper()
	return s.applyChanged("", "toolhive/*.yaml", baseline, baseline+", "+badScope)
}

// goodWorkloads applies the unchanged manifests, and waits until every workload
// runs from them.
func (s *scenario) goodWorkloads() {
	s.Helper()
	s.apply("", "toolhive")
	s.awaitRolled(names(false))
	s.awaitConditions(demo, "Ready", weather, tickets, office)
}

// crashLoops waits until a pod of each workload is in CrashLoopBackOff, and shows
// every status meanwhile. None may name the cause.
func (s *scenario) crashLoops() {
	s.Helper()
	for _, w := range workloads {
		s.awaitCrashLoop(demo, w.name)
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
		s.wantLog(demo, w.name, badScope, "which is not in scopes_supported")
	}
}

// names accepts a run config that names a bad scope, or one that names none.
func names(scope bool) func(workload, corev1.ConfigMap) bool {
	return func(_ workload, config corev1.ConfigMap) bool {
		return strings.Contains(fmt.Sprint(config.Data), badScopes) == scope
	}
}

// awaitRolled waits until every workload runs from a run config that is accepted, in
// one pod that is available and no other.
func (s *scenario) awaitRolled(accept func(workload, corev1.ConfigMap) bool) {
	s.Helper()
	for _, w := range workloads {
		s.await(w.name+" runs from its run config, in one pod", func() error {
			config, err := s.configMap(w)
			if err == nil && !accept(w, config) {
				err = fmt.Errorf("ConfigMap %s has the run config from before", w.configMap)
			}
			if err != nil {
				return err
			}
			return s.rolled(w, config)
		})
	}
}

func (s *scenario) configMap(w workload) (config corev1.ConfigMap, err error) {
	return config, s.client.Get(ctx, client.ObjectKey{Namespace: demo, Name: w.configMap}, &config)
}

// rolled returns what is still missing until a workload has rolled.
func (s *scenario) rolled(w workload, config corev1.ConfigMap) error {
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

const startUpManifest = "dist/guard-start-up.yaml"

// refusal is an edit with which an auth server refuses to start.
type refusal struct {
	// pattern matches the manifests in which old is replaced by new.
	pattern, old, new string
	// crashes is a workload that then crash-loops, and log is part of its auth
	// server's log.
	crashes, log string
	// message is part of the policy's message.
	message string
}

var refusals = []refusal{
	{
		"toolhive/20-auth-config.yaml", "issuer: https://auth.example.com", "issuer: http://auth.example.com",
		"weather", "http scheme is only allowed for localhost", "issuer is http://auth.example.com: use https",
	},
	{
		"toolhive/20-auth-config.yaml", "redirectUri: https://auth.example.com/oauth/callback", "redirectUri: https://auth.example.com/oauth/callback#top",
		"tickets", "absolute URI without a fragment", "redirectUri of upstream provider company is https://auth.example.com/oauth/callback#top: write an absolute",
	},
	{
		"toolhive/50-virtual-mcp-server.yaml", "baselineClientScopes: [openid]", "tokenLifespans: {accessTokenLifespan: 30s}\n    baselineClientScopes: [openid]",
		"office", "access token lifespan must be between", "tokenLifespans.accessTokenLifespan is 30s: set it from 1m to 24h",
	},
}

// withoutStartUp shows what happens without the policy: each edit is accepted, and the
// pod crash-loops.
func withoutStartUp(s *scenario) {
	for _, refusal := range refusals {
		s.goodWorkloads()
		s.applyChanged("", refusal.pattern, refusal.old, refusal.new)
		s.awaitCrashLoop(demo, refusal.crashes)
		s.kubectl(demo, "get", "pods")
		s.kubectl(demo, "get", "mcpexternalauthconfigs,mcpservers,mcpremoteproxies,virtualmcpservers")
		s.wantLog(demo, refusal.crashes, refusal.log)
	}
	s.goodWorkloads()
}

// withStartUp installs the policy. It must reject each edit and name the mistake, and
// the running pods must stay.
func withStartUp(s *scenario) {
	s.after("delete", "--ignore-not-found", "--filename", startUpManifest)
	s.kubectl("", "apply", "--server-side", "--filename", startUpManifest)
	s.kubectl("", "label", "namespace", demo, guard.ModeLabel+"="+guard.ModeEnforce, "--overwrite")
	pods := s.demoPods()
	for _, refusal := range refusals {
		s.await("the edit is refused by dry run", func() error {
			edit := strings.NewReader(s.changed(refusal.pattern, refusal.old, refusal.new))
			if output, err := s.run(ctx, edit, "apply", "--dry-run=server", "--filename", "-"); err == nil {
				return fmt.Errorf("kubectl says %s", output)
			}
			return nil
		})
		output, err := s.try("", s.changed(refusal.pattern, refusal.old, refusal.new), "apply", "--filename", "-")
		if err == nil || !strings.Contains(output, refusal.message) {
			s.Errorf("the edit was not refused as it should be: %s", output)
		}
	}
	s.samePods(pods)
	s.awaitConditions(demo, "Ready", weather, tickets, office)
}
