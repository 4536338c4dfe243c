package operator

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/internal/kinds"
	"github.com/scopegate/scopegate/internal/resolve"
	"github.com/scopegate/scopegate/internal/rollout"
	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/internal/testing/sample"
)

// TestManagerOptions checks that each setting reaches controller-runtime.
func TestManagerOptions(t *testing.T) {
	got := managerOptions(Options{
		MetricsBindAddress: "metrics", HealthProbeBindAddress: "probes", PprofBindAddress: "profiles",
		LeaderElect: true, LeaderElectionNamespace: "ns", Concurrency: 7, Namespaces: []string{"team"},
	})
	expect.Equal(t, "addresses", []string{"metrics", "probes", "profiles"}, []string{got.Metrics.BindAddress, got.HealthProbeBindAddress, got.PprofBindAddress})
	expect.Equal(t, "leader election", []any{true, "ns"}, []any{got.LeaderElection, got.LeaderElectionNamespace})
	if *got.RenewDeadline <= time.Minute || *got.LeaseDuration <= *got.RenewDeadline {
		t.Errorf("the leader gives up after %s of a lease of %s; it has to survive an outage of a minute", got.RenewDeadline, got.LeaseDuration)
	}
	expect.Equal(t, "concurrency", 7, got.Controller.MaxConcurrentReconciles)
	if _, cached := got.Cache.DefaultNamespaces["team"]; !cached || len(got.Cache.DefaultNamespaces) != 1 {
		t.Errorf("the cache has the namespaces %v", got.Cache.DefaultNamespaces)
	}
}

// read returns what decisions read of an object from the cache.
func read(t *testing.T, object client.Object) string {
	t.Helper()
	meta := reflect.ValueOf(object).Elem().FieldByName("ObjectMeta").Interface().(metav1.ObjectMeta)
	meta.Labels, meta.Annotations, meta.ManagedFields = nil, nil, nil
	consumer, _ := resolve.ConsumerOf(object)
	kept := []any{meta, consumer}
	switch object := object.(type) {
	case *v1beta1.MCPOIDCConfig: // Whether it exists.
	case *appsv1.Deployment:
		kept = append(kept, object.Labels, object.Spec, object.Status)
	case *corev1.Service:
		kept = append(kept, object.Labels, object.Spec, object.Status)
	case *v1beta1.MCPExternalAuthConfig:
		kept = append(kept, object.Status, object.Spec.Type, object.Spec.EmbeddedAuthServer)
	default:
		kept = append(kept, object.(kinds.Object).GetStatus())
	}
	text, err := yaml.Marshal(kept)
	expect.NoError(t, err)
	return string(text)
}

// TestCacheKeepsWhatIsRead sets every field of an object of every kind, and none. Of an opaque
// field it is read whether it is set.
func TestCacheKeepsWhatIsRead(t *testing.T) {
	opaque, err := yaml.JSONToYAML([]byte(sample.OpaqueContent))
	expect.NoError(t, err)
	marker, err := yaml.JSONToYAML(opaqueMarker)
	expect.NoError(t, err)
	byObject := standaloneCache().ByObject
	expect.Equal(t, "kinds", 7, len(byObject))
	for empty, options := range byObject {
		full := empty.DeepCopyObject().(client.Object)
		sample.Fill(reflect.ValueOf(full).Elem())
		full.SetLabels(map[string]string{rollout.LabelManagedBy: rollout.ManagedBy})
		for _, object := range []client.Object{empty, full} {
			want := strings.ReplaceAll(read(t, object), string(opaque), string(marker))
			stripped, err := options.Transform(object.DeepCopyObject())
			expect.NoError(t, err)
			expect.Equal(t, fmt.Sprintf("what is read of %T", object), want, read(t, stripped.(client.Object)))
			if text, err := yaml.Marshal(stripped); err != nil || strings.Contains(string(text), string(opaque)) {
				t.Errorf("%T keeps the content of an opaque field (%v):\n%s", object, err, text)
			}
		}
	}
}

// TestCacheStripsWhatHelmManages strips what has the label of another manager.
func TestCacheStripsWhatHelmManages(t *testing.T) {
	deployment := sample.Deployment("ns", "web", map[string]string{rollout.LabelManagedBy: "Helm"})
	service := &corev1.Service{ObjectMeta: deployment.ObjectMeta, Spec: corev1.ServiceSpec{ClusterIP: "10.0.0.1"}}
	stripDeployment(deployment)
	stripService(service)
	expect.Equal(t, "Deployment", appsv1.DeploymentSpec{}, deployment.Spec)
	expect.Equal(t, "Service", corev1.ServiceSpec{}, service.Spec)
}

// answers simulates an API server that first returns these errors and then
// succeeds.
type answers struct {
	errs   []error
	bodies []string
}

func (a *answers) RoundTrip(request *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(request.Body)
	if err != nil {
		return nil, err
	}
	a.bodies = append(a.bodies, string(body))
	_ = request.Body.Close()
	if len(a.errs) > 0 {
		err, a.errs = a.errs[0], a.errs[1:]
		return nil, err
	}
	return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody}, nil
}

func TestRetryRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		errs []error
		// canceled means that the request may not wait any longer.
		canceled bool
		want     error
		sent     int
	}{
		"answered":         {sent: 1},
		"refused once":     {errs: []error{syscall.ECONNREFUSED}, sent: 2},
		"broken":           {errs: []error{syscall.ECONNRESET}, want: syscall.ECONNRESET, sent: 1},
		"refused too long": {errs: []error{syscall.ECONNREFUSED, nil}, canceled: true, want: syscall.ECONNREFUSED, sent: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if c.canceled {
				cancel()
			}
			request, err := http.NewRequestWithContext(ctx, http.MethodPatch, "https://example.com", strings.NewReader("body"))
			expect.NoError(t, err)
			server := &answers{errs: c.errs}
			response, err := (&refusedRetrier{server}).RoundTrip(request)
			if err == nil {
				_ = response.Body.Close()
			}
			if !errors.Is(err, c.want) || len(server.bodies) != c.sent {
				t.Errorf("got %v after %d requests, want %v after %d", err, len(server.bodies), c.want, c.sent)
			}
			for _, body := range server.bodies {
				if body != "body" {
					t.Errorf("sent the body %q", body)
				}
			}
		})
	}
}

// overlapping follows the name of an object if its event is sent while another is sent.
const overlapping = ": its event is sent while another is sent"

type api struct {
	turn   chan struct{}
	stored chan string
}

func newAPI() *api { return &api{turn: make(chan struct{}, 1), stored: make(chan string)} }

func (a *api) send(ctx context.Context, event *eventsv1.Event) (*eventsv1.Event, error) {
	select {
	case a.turn <- struct{}{}:
		defer func() { <-a.turn }()
	default:
		a.stored <- event.Regarding.Name + overlapping
		return event, nil
	}
	runtime.Gosched()
	select {
	case a.stored <- event.Regarding.Name:
		return event, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (a *api) Create(ctx context.Context, event *eventsv1.Event) (*eventsv1.Event, error) {
	return a.send(ctx, event)
}

func (a *api) Patch(ctx context.Context, event *eventsv1.Event, _ []byte) (*eventsv1.Event, error) {
	return a.send(ctx, event)
}

func (*api) Update(context.Context, *eventsv1.Event) (*eventsv1.Event, error) {
	return nil, errors.New("nothing updates an event")
}

func record(recorder events.EventRecorder, name string) {
	recorder.Eventf(&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: name}}, nil, corev1.EventTypeNormal, "Reason", "Action", "note")
}

// TestEventsOneAtATime records many events at once. Half of them repeat others
// and so are patches. No event is lost, they are sent one at a time, and
// recording does not block.
func TestEventsOneAtATime(t *testing.T) {
	api := newAPI()
	broadcaster := events.NewBroadcaster(&serialSink{EventSink: api})
	expect.NoError(t, broadcaster.StartRecordingToSinkWithContext(t.Context()))
	recorder := broadcaster.NewRecorder(Scheme, "test")
	const objects = 200
	for i := range objects {
		record(recorder, fmt.Sprint(i))
		record(recorder, fmt.Sprint(i))
	}
	// The broadcaster starts with a refresh of all series, which may find some. So an
	// object may have a third request.
	seen, complete := map[string]int{}, 0
	for complete < objects {
		select {
		case name := <-api.stored:
			if strings.Contains(name, overlapping) {
				t.Fatal(name)
			}
			if seen[name]++; seen[name] == 2 {
				complete++
			}
		case <-time.After(time.Minute):
			t.Fatalf("%d of %d objects have their events", complete, objects)
		}
	}
}

// TestEventsAreLimited records more events than the memory of a broadcaster should hold.
func TestEventsAreLimited(t *testing.T) {
	fake := events.NewFakeRecorder(2 * eventBurst)
	recorder := limited(fake)
	for range 2 * eventBurst {
		recorder.Eventf(&corev1.Pod{}, nil, corev1.EventTypeNormal, "Reason", "Action", "note %d", 1)
	}
	// The test itself may take a moment.
	if got := len(fake.Events); got < eventBurst || got > eventBurst+10*eventsPerSecond {
		t.Errorf("%d events, want %d and few more", got, eventBurst)
	}
}
