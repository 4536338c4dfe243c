package operator

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"

	"github.com/scopegate/scopegate/internal/testing/expect"
)

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
		a.stored <- "while another is sent: " + event.Regarding.Name
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

// TestEventsOneAtATime records many events at once, half of which repeat others and so
// are patches: none is lost, none is sent beside another, and whoever records them
// does not wait.
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
	seen := map[string]int{}
	for range 2 * objects {
		select {
		case name := <-api.stored:
			seen[name]++
		case <-time.After(time.Minute):
			t.Fatalf("%d of %d objects have their events", len(seen), objects)
		}
	}
	for i := range objects {
		if name := fmt.Sprint(i); seen[name] != 2 {
			t.Errorf("%d events of %s were sent one at a time, want 2", seen[name], name)
			break
		}
	}
}
