package operator

import (
	"context"
	"fmt"
	"sync"

	"golang.org/x/time/rate"
	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/apimachinery/pkg/runtime"
	eventsv1client "k8s.io/client-go/kubernetes/typed/events/v1"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/manager"
)

// newRecorder returns an event recorder that works until ctx is done. The
// manager's own recorder would send all events at once.
func newRecorder(ctx context.Context, mgr manager.Manager, name string) (events.EventRecorder, error) {
	client, err := eventsv1client.NewForConfigAndClient(mgr.GetConfig(), mgr.GetHTTPClient())
	if err != nil {
		return nil, fmt.Errorf("creating the client for events: %w", err)
	}
	broadcaster := events.NewBroadcaster(&serialSink{EventSink: &events.EventSinkImpl{Interface: client}})
	if err := broadcaster.StartRecordingToSinkWithContext(ctx); err != nil {
		return nil, fmt.Errorf("starting the event recorder: %w", err)
	}
	return limited(broadcaster.NewRecorder(mgr.GetScheme(), name)), nil
}

// client-go keeps each event for minutes, and a tenant can change many verdicts again
// and again. The log has those changes that get no event.
const (
	eventsPerSecond = 10
	eventBurst      = 1000
)

// limitedRecorder drops events that come too fast.
type limitedRecorder struct {
	events.EventRecorder
	limiter *rate.Limiter
}

func limited(recorder events.EventRecorder) events.EventRecorder {
	return limitedRecorder{recorder, rate.NewLimiter(eventsPerSecond, eventBurst)}
}

// Eventf implements events.EventRecorder.
func (r limitedRecorder) Eventf(regarding, related runtime.Object, eventType, reason, action, note string, arguments ...any) {
	if r.limiter.Allow() {
		r.EventRecorder.Eventf(regarding, related, eventType, reason, action, note, arguments...)
	}
}

// serialSink sends one event at a time. An edit that changes a thousand
// conditions would otherwise delay the conditions with its events.
type serialSink struct {
	events.EventSink
	mu sync.Mutex
}

// Create implements events.EventSink.
func (s *serialSink) Create(ctx context.Context, event *eventsv1.Event) (*eventsv1.Event, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.EventSink.Create(ctx, event)
}

// Patch implements events.EventSink.
func (s *serialSink) Patch(ctx context.Context, event *eventsv1.Event, data []byte) (*eventsv1.Event, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.EventSink.Patch(ctx, event, data)
}
