package operator

import (
	"net/http"
	"strings"

	"k8s.io/client-go/rest"
)

// sendEventsInTurn makes events be sent one after the other. client-go sends
// each as soon as it is told: those of an edit that changes a thousand conditions
// would take the API server from the conditions.
func sendEventsInTurn(cfg *rest.Config) {
	turn := make(chan struct{}, 1)
	cfg.Wrap(func(next http.RoundTripper) http.RoundTripper { return &eventsInTurn{next, turn} })
}

type eventsInTurn struct {
	next http.RoundTripper
	// turn is full while an event is sent.
	turn chan struct{}
}

// RoundTrip implements http.RoundTripper. An event waits as long as its request
// may.
func (e *eventsInTurn) RoundTrip(request *http.Request) (*http.Response, error) {
	if request.Method == http.MethodGet || !strings.HasPrefix(request.URL.Path, "/apis/events.k8s.io/") {
		return e.next.RoundTrip(request)
	}
	select {
	case e.turn <- struct{}{}:
	case <-request.Context().Done():
		return nil, request.Context().Err()
	}
	defer func() { <-e.turn }()
	return e.next.RoundTrip(request)
}

// WrappedRoundTripper lets client-go find what is below.
func (e *eventsInTurn) WrappedRoundTripper() http.RoundTripper { return e.next }
