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

// newRecorder returns a recorder of events that works until ctx is done. The
// manager's own sends all events at once.
func newRecorder(ctx context.Context, mgr manager.Manager, name string) (events.EventRecorder, error) {
	client, err := eventsv1client.NewForConfigAndClient(mgr.GetConfig(), mgr.GetHTTPClient())
	if err != nil {
		return nil, fmt.Errorf("making the client for events: %w", err)
	}
	broadcaster := events.NewBroadcaster(&serialSink{EventSink: &events.EventSinkImpl{Interface: client}})
	if err := broadcaster.StartRecordingToSinkWithContext(ctx); err != nil {
		return nil, fmt.Errorf("starting to record events: %w", err)
	}
	return broadcaster.NewRecorder(mgr.GetScheme(), name), nil
}

// serialSink sends one event at a time. The events of an edit that changes a thousand
// conditions would take the API server from the conditions.
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
