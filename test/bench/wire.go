package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"k8s.io/client-go/rest"
)

// statusPatch is a write of a status, as the manager sent it.
type statusPatch struct {
	path string
	body []byte
}

// replayable is the patch without the version that it is for.
func (p statusPatch) replayable() (statusPatch, error) {
	body := map[string]json.RawMessage{}
	if err := json.Unmarshal(p.body, &body); err != nil {
		return statusPatch{}, err
	}
	delete(body, "metadata")
	text, err := json.Marshal(body)
	return statusPatch{path: p.path, body: text}, err
}

// wire counts the writes that go through it and keeps the status patches that
// were taken.
type wire struct {
	next http.RoundTripper

	mu      sync.Mutex
	patches []statusPatch
	others  int
	last    time.Time
	changed chan struct{}
}

func newWire(cfg *rest.Config) *wire {
	w := &wire{changed: make(chan struct{}, 1)}
	cfg.Wrap(func(next http.RoundTripper) http.RoundTripper {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.next = next
		return w
	})
	return w
}

func (w *wire) RoundTrip(request *http.Request) (*http.Response, error) {
	if request.Method == http.MethodGet {
		return w.next.RoundTrip(request)
	}
	body, err := io.ReadAll(request.Body)
	if err != nil {
		return nil, err
	}
	request.Body = io.NopCloser(bytes.NewReader(body))
	response, err := w.next.RoundTrip(request)

	w.mu.Lock()
	defer w.mu.Unlock()
	taken := err == nil && response.StatusCode == http.StatusOK
	if taken && request.Method == http.MethodPatch && strings.HasSuffix(request.URL.Path, "/status") {
		w.patches = append(w.patches, statusPatch{path: request.URL.Path, body: body})
		w.last = time.Now()
		select {
		case w.changed <- struct{}{}:
		default:
		}
	} else {
		w.others++
	}
	return response, err
}

// count returns how many status patches and other writes there were, and when
// the last patch was answered.
func (w *wire) count() (patches, others int, last time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.patches), w.others, w.last
}
