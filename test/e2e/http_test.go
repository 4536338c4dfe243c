//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

const discoveryPath = "/.well-known/oauth-authorization-server"

// askInterval is how often a client asks, each time on a new connection.
const askInterval = 20 * time.Millisecond

// get returns what a Service answers, or why that is no good answer.
func (s *scenario) get(url string) ([]byte, error) {
	response, err := s.http.Get(url) //nolint:noctx // It is bounded by the client's timeout.
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	answer, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", response.Status, answer)
	}
	return answer, err
}

// awaitAnswer waits until a Service leads to a pod, and the answer contains a
// text: kube-proxy learns of a pod that is Ready, or ends, up to a second later.
func (s *scenario) awaitAnswer(url, text string) {
	s.Helper()
	s.await("the Service answers", func() error {
		answer, err := s.get(url)
		if err == nil && !strings.Contains(string(answer), text) {
			err = fmt.Errorf("the document is %s", answer)
		}
		return err
	})
}

// ask starts a client that asks a Service all along, until the function is called
// that it returns. Every one of its requests must have been answered then.
func (s *scenario) ask(url string) (stop func(when string)) {
	s.Helper()
	s.awaitAnswer(url, "")
	asking, cancel := context.WithCancel(ctx)
	var requests sync.WaitGroup
	var mutex sync.Mutex
	var asked int
	var failed []string
	once := func() {
		began := time.Now()
		_, err := s.get(url)
		mutex.Lock()
		defer mutex.Unlock()
		asked++
		if err != nil {
			failed = append(failed, fmt.Sprintf("%s after %s: %v", began.Format("15:04:05.000"), time.Since(began).Round(time.Millisecond), err))
		}
	}
	requests.Go(func() {
		ticker := time.NewTicker(askInterval)
		defer ticker.Stop()
		for {
			select {
			case <-asking.Done():
				return
			case <-ticker.C:
				// A slow answer must not keep the next request waiting.
				requests.Go(once)
			}
		}
	})
	return func(when string) {
		s.Helper()
		cancel()
		requests.Wait()
		if asked == 0 || len(failed) > 0 {
			s.Fatalf("%s %d of %d requests failed: %v", when, len(failed), asked, failed)
		}
		s.say("%s all %d requests at the Service were answered.", when, asked)
	}
}

// discover asks the auth server of a consumer for its scopes.
func (s *scenario) discover(namespace, consumer string) []string {
	s.Helper()
	var document struct {
		Scopes []string `json:"scopes_supported"`
	}
	url := serviceURL(namespace, consumer) + discoveryPath
	s.awaitAnswer(url, "")
	answer, err := s.get(url)
	s.must(err)
	show("curl "+url, string(answer))
	s.must(json.Unmarshal(answer, &document))
	return document.Scopes
}

// register registers a client, and returns its scopes.
func (s *scenario) register(namespace, consumer, scope string) string {
	s.Helper()
	url := serviceURL(namespace, consumer) + "/oauth/register"
	body := fmt.Sprintf(`{"client_name": "e2e", "redirect_uris": ["http://127.0.0.1/callback"], "token_endpoint_auth_method": "none", "scope": %q}`, scope)
	response, err := s.http.Post(url, "application/json", strings.NewReader(body)) //nolint:noctx // It is bounded by the client's timeout.
	s.must(err)
	defer func() { _ = response.Body.Close() }()
	answer, err := io.ReadAll(response.Body)
	s.must(err)
	show("curl --header 'Content-Type: application/json' --data '"+body+"' "+url, string(answer))
	var registered struct {
		Scope string `json:"scope"`
	}
	if response.StatusCode >= http.StatusBadRequest {
		s.Fatalf("registering a client: %s", response.Status)
	}
	s.must(json.Unmarshal(answer, &registered))
	return registered.Scope
}

// serviceURL is where the Service of a consumer of standalone mode is.
func serviceURL(namespace, consumer string) string {
	return fmt.Sprintf("http://%s.%s:8080", child(namespace, consumer), namespace)
}
