package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// askInterval is how often a client asks, each time on a new connection.
const askInterval = 20 * time.Millisecond

// asking is a client that asks all along.
type asking struct {
	cancel context.CancelFunc
	done   sync.WaitGroup
	mutex  sync.Mutex
	asked  int
	failed []string
}

// ask starts a client that asks a Service until it is stopped.
func (s *suite) ask(address string) *asking {
	address = s.withAddress(address)
	s.awaitAnswer(address)
	ctx, cancel := context.WithCancel(s.ctx)
	client := &asking{cancel: cancel}
	client.done.Go(func() {
		ticker := time.NewTicker(askInterval)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
				// A slow answer must not keep the next question waiting.
				client.done.Go(func() { client.once(s, address) })
			}
		}
	})
	return client
}

// awaitAnswer waits until a Service leads to a pod: kube-proxy learns of one that
// is Ready up to a second later.
func (s *suite) awaitAnswer(address string) {
	s.await("the Service answers", func() string { return s.problem(address) })
}

// problem is what is wrong with the answer, empty if nothing is.
func (s *suite) problem(address string) string {
	response, err := s.cluster.HTTPClient().Get(address) //nolint:noctx // It is bounded by the client's timeout.
	if err != nil {
		return err.Error()
	}
	defer func() { _ = response.Body.Close() }()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return err.Error()
	}
	if response.StatusCode != http.StatusOK {
		return response.Status
	}
	return ""
}

// lacks tells that a document does not contain a text, or can't be had.
func (s *suite) lacks(address, text string) string {
	response, err := s.cluster.HTTPClient().Get(s.withAddress(address)) //nolint:noctx // It is bounded by the client's timeout.
	if err != nil {
		return err.Error()
	}
	defer func() { _ = response.Body.Close() }()
	document, err := io.ReadAll(response.Body)
	switch {
	case err != nil:
		return err.Error()
	case !strings.Contains(string(document), text):
		return "the document is " + string(document)
	default:
		return ""
	}
}

// withAddress puts the address of a Service for its name: what is asked for here
// is the Service, not the API server.
func (s *suite) withAddress(address string) string {
	parsed, err := url.Parse(address)
	s.must(err)
	host, err := s.cluster.Resolve(s.ctx, parsed.Hostname())
	s.must(err)
	parsed.Host = net.JoinHostPort(host, parsed.Port())
	return parsed.String()
}

func (a *asking) once(s *suite, address string) {
	began := time.Now()
	problem := s.problem(address)
	a.mutex.Lock()
	defer a.mutex.Unlock()
	a.asked++
	if problem != "" {
		a.failed = append(a.failed, fmt.Sprintf("%s after %s: %s", began.Format("15:04:05.000"), time.Since(began).Round(time.Millisecond), problem))
	}
}

// stop ends the client; every one of its requests must have been answered.
func (a *asking) stop(s *suite, when string) {
	a.cancel()
	a.done.Wait()
	if a.asked == 0 || len(a.failed) > 0 {
		s.fail("%s %d of %d requests failed: %v", when, len(a.failed), a.asked, a.failed)
	}
	s.say("%s all %d requests at the Service were answered.", when, a.asked)
}

func ready(pod corev1.Pod) bool {
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodReady {
			return condition.Status == corev1.ConditionTrue
		}
	}
	return false
}
