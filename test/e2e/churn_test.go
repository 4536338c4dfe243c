//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/scopegate/scopegate/internal/condition"
	"github.com/scopegate/scopegate/internal/guard"
	"github.com/scopegate/scopegate/internal/inventory"
	"github.com/scopegate/scopegate/internal/operator"
	"github.com/scopegate/scopegate/internal/resolve"
	"github.com/scopegate/scopegate/internal/toolhive"
)

const (
	churnNamespace = "e2e-churn"
	churnCopies    = 5
	churnEdits     = 1000
	// churnPause is the time between two edits. churnQuiet is how long nothing is
	// edited, to count what is written anyway.
	churnPause = 50 * time.Millisecond
	churnQuiet = 30 * time.Second
)

// churn edits objects while ToolHive's operator and the guard's manager both write
// their statuses. It shows whether one of them loses what it wrote, or makes the
// other one loop.
func churn(s *scenario) {
	// The policies would reject the edits that the condition must report.
	s.newNamespace(churnNamespace, map[string]string{guard.ModeLabel: guard.ModeOff})
	// The manager runs in this process instead, which records its writes.
	s.kubectl(ownNamespace, "scale", "deployment", "scopegate-guard", "--replicas", "0")
	s.kubectl(ownNamespace, "wait", "--for=delete", "pod", "--selector", ownPods, "--timeout", "2m")
	history := s.watchRevisions()
	objects := s.churnObjects()
	s.await("ToolHive's operator is done", history.settled)
	before := history.quiet()

	writes := &guardWrites{bases: map[string]string{}}
	s.startManager(writes)
	s.await("every object has the condition", history.current)
	edits := s.randomEdits(objects)
	s.await("every object has the condition of its generation", history.current)
	s.await("nothing changes", history.settled)
	after := history.quiet()

	report := history.report(writes.bases, edits)
	fmt.Printf("random edits                                         %d\n", len(edits))
	fmt.Printf("from an edit to the condition of its generation      %s\n", quantiles(report.delays))
	fmt.Printf("ToolHive's operator overwrote the entry              %d times\n", report.overwritten)
	fmt.Printf("until it was back                                    %s\n", quantiles(report.back))
	fmt.Printf("the guard's writes, and those that changed nothing   %d, %d\n", report.writes, writes.unchanged)
	fmt.Printf("writes in %s of quiet: the guard's                  %d\n", churnQuiet, report.guardsIn(after))
	fmt.Printf("ToolHive's, without the guard and with it            %d, %d\n", report.othersIn(before), report.othersIn(after))
	fmt.Printf("what the guard's writes changed beside its entry     %d\n", len(report.touched))
	if len(report.touched) > 0 || report.guardsIn(after) > 0 || report.writes == 0 {
		s.Errorf("the guard disturbed ToolHive's operator: %q", report.touched)
	}
	wrong := s.wrongConditions()
	fmt.Printf("conditions that are wrong in the end                 %d\n", len(wrong))
	for _, condition := range wrong {
		s.Error(condition)
	}
}

func quantiles(durations []time.Duration) string {
	if len(durations) == 0 {
		return "never"
	}
	slices.Sort(durations)
	at := func(part int) time.Duration {
		return durations[min(len(durations)-1, len(durations)*part/100)].Round(time.Millisecond)
	}
	return fmt.Sprintf("p50 %s, p99 %s", at(50), at(99))
}

// churnObjects creates the objects of testdata/churn.yaml, with a number in
// each copy, and returns them.
func (s *scenario) churnObjects() []*unstructured.Unstructured {
	s.Helper()
	text, err := os.ReadFile(filepath.Join(root, testdata("churn.yaml")))
	s.must(err)
	documents, each, _ := strings.Cut(string(text), "\n# Each copy.\n")
	for number := range churnCopies {
		documents += "\n---\n" + strings.ReplaceAll(each, "NUMBER", fmt.Sprint(number))
	}
	var objects []*unstructured.Unstructured
	for document := range strings.SplitSeq(documents, "\n---\n") {
		object := &unstructured.Unstructured{}
		s.must(yaml.Unmarshal([]byte(document), &object.Object))
		object.SetNamespace(churnNamespace)
		objects = append(objects, object)
		s.must(s.client.Create(ctx, object.DeepCopy()))
	}
	return objects
}

// guardWrites records the guard's writes of statuses.
type guardWrites struct {
	mu sync.Mutex
	// bases maps the resource version that a write created to the one that it
	// was based on.
	bases map[string]string
	// unchanged counts the writes that created no resource version.
	unchanged int
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(request *http.Request) (*http.Response, error) { return f(request) }

func (w *guardWrites) wrap(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(request *http.Request) (*http.Response, error) {
		if request.Method != http.MethodPatch || !strings.HasSuffix(request.URL.Path, "/status") {
			return next.RoundTrip(request)
		}
		sent, err := io.ReadAll(request.Body)
		if err != nil {
			return nil, err
		}
		request.Body = io.NopCloser(bytes.NewReader(sent))
		response, err := next.RoundTrip(request)
		if err != nil || response.StatusCode != http.StatusOK {
			return response, err
		}
		got, err := io.ReadAll(response.Body)
		response.Body = io.NopCloser(bytes.NewReader(got))
		if err != nil {
			return nil, err
		}
		w.wrote(resourceVersion(sent), resourceVersion(got))
		return response, nil
	})
}

func resourceVersion(body []byte) string {
	var object metav1.PartialObjectMetadata
	if err := yaml.Unmarshal(body, &object); err != nil {
		panic(err)
	}
	return object.ResourceVersion
}

func (w *guardWrites) wrote(base, version string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if base == version {
		w.unchanged++
		return
	}
	w.bases[version] = base
}

// startManager runs the guard's manager in this process, with the rights that it
// has in the cluster.
func (s *scenario) startManager(writes *guardWrites) {
	s.Helper()
	config := rest.CopyConfig(s.config)
	config.Impersonate = rest.ImpersonationConfig{UserName: "system:serviceaccount:" + ownNamespace + ":scopegate-guard", Groups: []string{"system:serviceaccounts", "system:authenticated"}}
	config.Wrap(writes.wrap)
	mgr, err := operator.New(ctx, config, operator.Options{
		Namespaces: []string{churnNamespace}, MetricsBindAddress: "0", HealthProbeBindAddress: "0", SharedProcess: true,
	})
	s.must(err)
	managed, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- mgr.Start(managed) }()
	s.undo = append(s.undo, func(context.Context) {
		stop()
		if err := <-done; err != nil {
			s.Error(err)
		}
	})
}

// edit is an edit that created a generation.
type edit struct {
	at         time.Time
	object     string
	generation int64
}

// randomEdits edits what the verdict reads, and something else.
func (s *scenario) randomEdits(objects []*unstructured.Unstructured) []edit {
	s.Helper()
	random := rand.New(rand.NewPCG(1, 0)) //nolint:gosec // Repeatable.
	var edits []edit
	for len(edits) < churnEdits {
		object := objects[random.IntN(len(objects))].DeepCopy()
		patch := randomPatch(random, object.GetKind())
		if patch == "" {
			continue
		}
		err := s.client.Patch(ctx, object, client.RawPatch("application/merge-patch+json", []byte(patch)))
		if apierrors.IsConflict(err) {
			continue
		}
		s.must(err)
		edits = append(edits, edit{time.Now(), keyOf(object), object.GetGeneration()})
		time.Sleep(churnPause)
	}
	return edits
}

func randomPatch(random *rand.Rand, kind string) string {
	list := [...]string{`["openid"]`, `["openid","offline_access"]`, `["openid","profile","admin"]`, `["admin"]`}[random.IntN(4)]
	if random.IntN(5) == 0 {
		return fmt.Sprintf(`{"metadata":{"annotations":{"example.com/edit":"%d"}}}`, random.Int())
	}
	switch kind {
	case resolve.KindMCPExternalAuthConfig:
		return fmt.Sprintf(`{"spec":{"embeddedAuthServer":{"baselineClientScopes":%s}}}`, list)
	case "MCPServer", "MCPRemoteProxy":
		return fmt.Sprintf(`{"spec":{"oidcConfigRef":{"scopes":%s}}}`, list)
	case resolve.KindVirtualMCPServer:
		if random.IntN(2) == 0 {
			return fmt.Sprintf(`{"spec":{"authServerConfig":{"baselineClientScopes":%s}}}`, list)
		}
		return fmt.Sprintf(`{"spec":{"incomingAuth":{"oidcConfigRef":{"scopes":%s}}}}`, list)
	default:
		return ""
	}
}

// wrongConditions returns the conditions that do not fit the present objects.
func (s *scenario) wrongConditions() []string {
	s.Helper()
	reader, err := inventory.New(s.config, toolhive.DefaultScopes)
	s.must(err)
	snapshot, err := reader.Read(ctx, churnNamespace)
	s.must(err)
	var wrong []string
	check := func(what string, conditions []metav1.Condition, generation int64, want *metav1.Condition) {
		got := meta.FindStatusCondition(conditions, "BaselineScopesValid")
		if got == nil || want == nil || got.Message != want.Message || got.ObservedGeneration != generation {
			wrong = append(wrong, fmt.Sprintf("%s has %+v, want %+v", what, got, want))
		}
	}
	pairs := map[string][]resolve.Pair{}
	for _, pair := range snapshot.Pairs() {
		check(pair.Consumer.String(), pair.Consumer.Status.Conditions, pair.Consumer.Generation, condition.ForConsumer(pair.Pair))
		pairs[pair.ConfigName] = append(pairs[pair.ConfigName], pair.Pair)
	}
	for _, config := range snapshot.Configs {
		check(config.Name, config.Status.Conditions, config.Generation, condition.ForConfig(config, pairs[config.Name]))
	}
	if len(snapshot.Consumers) != 3*churnCopies || len(snapshot.Configs) != churnCopies {
		s.Fatalf("there are %d consumers and %d configs", len(snapshot.Consumers), len(snapshot.Configs))
	}
	return wrong
}
