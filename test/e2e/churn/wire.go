package churn

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
)

// wire sees the guard's writes of statuses, and the resource version that each
// of them made.
type wire struct {
	mu       sync.Mutex
	writes   int
	versions map[string]bool
}

func (w *wire) wrap(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(request *http.Request) (*http.Response, error) {
		response, err := next.RoundTrip(request)
		if err != nil || request.Method != http.MethodPatch || !strings.HasSuffix(request.URL.Path, "/status") {
			return response, err
		}
		body, err := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if err != nil {
			return nil, err
		}
		response.Body = io.NopCloser(bytes.NewReader(body))
		if response.StatusCode == http.StatusOK {
			w.wrote(body)
		}
		return response, nil
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(request *http.Request) (*http.Response, error) { return f(request) }

func (w *wire) wrote(body []byte) {
	var object struct {
		Metadata struct {
			ResourceVersion string `json:"resourceVersion"`
		} `json:"metadata"`
	}
	if err := json.Unmarshal(body, &object); err != nil {
		panic("the API server's answer is no JSON: " + err.Error())
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.writes++
	if w.versions == nil {
		w.versions = map[string]bool{}
	}
	w.versions[object.Metadata.ResourceVersion] = true
}

func (w *wire) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.writes
}

// made tells whether a resource version was made by the guard.
func (w *wire) made(version string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.versions[version]
}
