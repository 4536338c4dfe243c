package writes_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"k8s.io/client-go/rest"
)

// wire keeps the requests that go through it, watches and lists excepted.
type wire struct {
	next http.RoundTripper
	mu   sync.Mutex
	sent []string
}

// wrap makes a client's requests go through the wire.
func (w *wire) wrap(cfg *rest.Config) {
	cfg.Wrap(func(next http.RoundTripper) http.RoundTripper {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.next = next
		return w
	})
}

func (w *wire) RoundTrip(request *http.Request) (*http.Response, error) {
	body := ""
	if request.Body != nil {
		content, err := io.ReadAll(request.Body)
		if err != nil {
			return nil, err
		}
		body = string(content)
		request.Body = io.NopCloser(strings.NewReader(body))
	}
	w.mu.Lock()
	w.sent = append(w.sent, fmt.Sprintf("%s %s %s %s", request.Method, request.URL.Path, request.Header.Get("Content-Type"), body))
	w.mu.Unlock()
	return w.next.RoundTrip(request)
}

// take returns the requests since the last call whose text starts with any of
// the prefixes.
func (w *wire) take(prefixes ...string) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var taken []string
	for _, request := range w.sent {
		for _, prefix := range prefixes {
			if strings.HasPrefix(request, prefix) {
				taken = append(taken, request)
			}
		}
	}
	w.sent = nil
	return taken
}

// writes are the methods of all requests that change something.
var writes = []string{http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete}

func create(t *testing.T, objects ...object) {
	t.Helper()
	for _, object := range objects {
		if err := cluster.Client.Create(t.Context(), object); err != nil {
			t.Fatalf("creating %T %s: %v", object, object.GetName(), err)
		}
	}
}
