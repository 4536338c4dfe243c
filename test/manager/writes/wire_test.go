package writes_test

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"

	"k8s.io/client-go/rest"
)

// wire keeps the requests that go through it, watches and lists excepted.
type wire struct {
	next http.RoundTripper
	mu   sync.Mutex
	sent []exchange
}

// exchange is a request and how it was answered: 0 if it was not.
type exchange struct {
	request string
	status  int
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
	sent := exchange{request: fmt.Sprintf("%s %s %s %s", request.Method, request.URL.Path, request.Header.Get("Content-Type"), body)}
	response, err := w.next.RoundTrip(request)
	if err == nil {
		sent.status = response.StatusCode
	}
	w.mu.Lock()
	w.sent = append(w.sent, sent)
	w.mu.Unlock()
	return response, err
}

// take returns the requests since the last call whose text starts with any of
// the prefixes.
func (w *wire) take(prefixes ...string) []string {
	return w.drain(func(sent exchange) bool {
		return slices.ContainsFunc(prefixes, func(prefix string) bool { return strings.HasPrefix(sent.request, prefix) })
	})
}

// takeWritten returns the requests since the last call that changed something. A
// write of what the cache shows late is refused as a conflict, and changes nothing.
func (w *wire) takeWritten() []string {
	return w.drain(func(sent exchange) bool {
		method, _, _ := strings.Cut(sent.request, " ")
		return slices.Contains(writes, method) && sent.status != http.StatusConflict
	})
}

// drain returns the requests since the last call that keep accepts.
func (w *wire) drain(keep func(exchange) bool) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var kept []string
	for _, sent := range w.sent {
		if keep(sent) {
			kept = append(kept, sent.request)
		}
	}
	w.sent = nil
	return kept
}

// writes are the methods of all requests that change something.
var writes = []string{http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete}
