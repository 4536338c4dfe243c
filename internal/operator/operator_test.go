package operator

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"

	"github.com/scopegate/scopegate/api/v1alpha1"
	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/internal/resolve"
	"github.com/scopegate/scopegate/internal/rollout"
	"github.com/scopegate/scopegate/internal/testing/expect"
)

// TestManagerOptions checks that each setting reaches controller-runtime.
func TestManagerOptions(t *testing.T) {
	got := managerOptions(Options{
		MetricsBindAddress: "metrics", HealthProbeBindAddress: "probes", PprofBindAddress: "profiles",
		LeaderElect: true, LeaderElectionNamespace: "ns", Concurrency: 7, Namespaces: []string{"team"},
	})
	expect.Equal(t, "addresses", []string{"metrics", "probes", "profiles"}, []string{got.Metrics.BindAddress, got.HealthProbeBindAddress, got.PprofBindAddress})
	expect.Equal(t, "leader election", []any{true, "ns"}, []any{got.LeaderElection, got.LeaderElectionNamespace})
	expect.Equal(t, "concurrency", 7, got.Controller.MaxConcurrentReconciles)
	if _, cached := got.Cache.DefaultNamespaces["team"]; !cached || len(got.Cache.DefaultNamespaces) != 1 {
		t.Errorf("the cache has the namespaces %v", got.Cache.DefaultNamespaces)
	}
}

// TestCacheKeepsPresence checks that the same fields hold a rollout before and
// after their content is stripped.
func TestCacheKeepsPresence(t *testing.T) {
	opaque := func() *v1alpha1.OpaqueObject { return &v1alpha1.OpaqueObject{Raw: []byte(`{"long":"content"}`)} }
	server := &v1beta1.VirtualMCPServer{ObjectMeta: metav1.ObjectMeta{Name: "office", Namespace: "ns"}}
	server.Spec = v1alpha1.VirtualMCPServerSpec{
		IncomingAuth: v1alpha1.IncomingAuthConfig{Type: v1alpha1.IncomingAuthTypeOIDC, OIDCConfigRef: &v1alpha1.MCPOIDCConfigReference{
			Name: "oidc", Audience: "https://mcp.example.com", ResourceURL: "https://mcp.example.com",
		}},
		AuthServerConfig: &v1alpha1.EmbeddedAuthServerConfig{
			Issuer:             "https://auth.example.com",
			SPIFFETrustDomains: []v1alpha1.OpaqueObject{*opaque()}, InboundGrants: opaque(), DelegateClients: []v1alpha1.OpaqueObject{*opaque()},
			TrustedIssuers: []v1alpha1.OpaqueObject{*opaque()}, RegistrationRateLimit: opaque(), TLSListener: opaque(),
			UpstreamProviders: []v1alpha1.UpstreamProviderConfig{
				{Name: "a", Type: v1alpha1.UpstreamProviderTypeOIDC, OIDCConfig: &v1alpha1.OIDCUpstreamConfig{IssuerURL: "https://a.example.com", Scopes: []string{"admin"}, DCRConfig: opaque()}},
				{Name: "b", Type: v1alpha1.UpstreamProviderTypeOAuth2, OAuth2Config: &v1alpha1.OAuth2UpstreamConfig{DCRConfig: opaque()}},
			},
		},
		AuthServerUpstreamFilter: opaque(),
	}
	check := func(server *v1beta1.VirtualMCPServer) string {
		consumer, _ := resolve.ConsumerOf(server)
		pair, err := resolve.Resolve(consumer, nil)
		expect.NoError(t, err)
		_, hold := rollout.Check(pair, true)
		if hold == nil {
			t.Fatal("not held")
		}
		return hold.Message
	}
	want := check(server)
	stripped := server.DeepCopy()
	stripVirtual(stripped)
	if got := check(stripped); got != want {
		t.Errorf("after stripping: %s\nbefore: %s", got, want)
	}
	config := stripped.Spec.AuthServerConfig
	// A message says that these scopes do not count.
	if name, _ := resolve.RequestedUpstream(config, []string{"admin"}); name != "a" {
		t.Errorf("the cache lacks the scopes of the provider: found %q", name)
	}
	for name, object := range map[string]*v1alpha1.OpaqueObject{
		"spiffeTrustDomains": &config.SPIFFETrustDomains[0], "inboundGrants": config.InboundGrants, "delegateClients": &config.DelegateClients[0],
		"trustedIssuers": &config.TrustedIssuers[0], "registrationRateLimit": config.RegistrationRateLimit, "tlsListener": config.TLSListener,
		"oidcConfig.dcrConfig":     config.UpstreamProviders[0].OIDCConfig.DCRConfig,
		"oauth2Config.dcrConfig":   config.UpstreamProviders[1].OAuth2Config.DCRConfig,
		"authServerUpstreamFilter": stripped.Spec.AuthServerUpstreamFilter,
	} {
		if string(object.Raw) != string(opaqueMarker) {
			t.Errorf("%s keeps its content in the cache: %s", name, object.Raw)
		}
	}
	// The filter alone, because its check comes after that of the config.
	stripped.Spec.AuthServerConfig = &v1alpha1.EmbeddedAuthServerConfig{Issuer: "https://auth.example.com"}
	if got := check(stripped); got != `VirtualMCPServer "office" sets spec.authServerUpstreamFilter, which scopegate does not render: remove it, or let ToolHive's operator run it` {
		t.Errorf("the filter alone: %s", got)
	}
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
