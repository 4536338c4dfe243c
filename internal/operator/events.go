package operator

import (
	"context"
	"fmt"
	"sync"

	eventsv1 "k8s.io/api/events/v1"
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
	return broadcaster.NewRecorder(mgr.GetScheme(), name), nil
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
