package operator

import (
	"context"
	"errors"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"k8s.io/client-go/rest"
)

type roundTripper func(*http.Request) (*http.Response, error)

func (r roundTripper) RoundTrip(request *http.Request) (*http.Response, error) { return r(request) }

const (
	someEvents = "http://it/apis/events.k8s.io/v1/namespaces/a/events"
	someStatus = "http://it/apis/toolhive.stacklok.dev/v1beta1/namespaces/a/mcpservers/web/status"
)

// inTurn returns what sends requests to api, events one after the other.
func inTurn(api roundTripper) func(ctx context.Context, method, url string) error {
	cfg := &rest.Config{}
	sendEventsInTurn(cfg)
	client := cfg.WrapTransport(api)
	return func(ctx context.Context, method, url string) error {
		request, err := http.NewRequestWithContext(ctx, method, url, nil)
		if err != nil {
			return err
		}
		_, err = client.RoundTrip(request) //nolint:bodyclose // There is none.
		return err
	}
}

func TestEventsInTurn(t *testing.T) {
	var sent, atATime, most atomic.Int64
	send := inTurn(func(*http.Request) (*http.Response, error) {
		sent.Add(1)
		now := atATime.Add(1)
		for seen := most.Load(); now > seen && !most.CompareAndSwap(seen, now); seen = most.Load() {
		}
		runtime.Gosched()
		atATime.Add(-1)
		return &http.Response{}, nil
	})
	var group sync.WaitGroup
	for range 200 {
		group.Go(func() {
			if err := send(t.Context(), http.MethodPost, someEvents); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if sent.Load() != 200 || most.Load() != 1 {
		t.Errorf("%d events were sent, %d at a time; want 200, 1 at a time", sent.Load(), most.Load())
	}
}

// TestOthersDoNotWait holds an event at the API server: meanwhile what is no event
// passes, and an event can be given up.
func TestOthersDoNotWait(t *testing.T) {
	arrived, answer := make(chan struct{}), make(chan struct{})
	send := inTurn(func(request *http.Request) (*http.Response, error) {
		if request.Method != http.MethodGet && strings.Contains(request.URL.Path, "events") {
			close(arrived)
			<-answer
		}
		return &http.Response{}, nil
	})
	held := make(chan error)
	go func() { held <- send(t.Context(), http.MethodPost, someEvents) }()
	<-arrived
	if err := send(t.Context(), http.MethodPatch, someStatus); err != nil {
		t.Error(err)
	}
	if err := send(t.Context(), http.MethodGet, someEvents); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := send(ctx, http.MethodPost, someEvents); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v of an event that was given up", err)
	}
	close(answer)
	if err := <-held; err != nil {
		t.Error(err)
	}
}
