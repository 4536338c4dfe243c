// Package faults sits between a manager and a real API server and injects faults
// on the wire: failed requests, lost responses, a process that dies between two
// writes, a user who is faster than a write, and watches that lag, break or start
// in the past. Apart from these faults, the manager gets the API server's own
// responses.
package faults

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand"
	"net/http"
	"os"
	"slices"
	"sync"
	"syscall"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/client-go/rest"
)

var errDead = errors.New("the manager is dead: its requests are not sent")

var infos = request.RequestInfoFactory{APIPrefixes: sets.NewString("api", "apis"), GrouplessAPIPrefixes: sets.NewString("api")}

// Link connects one run of a manager, which watches a single namespace, to the
// API server. Without instructions it injects no faults.
type Link struct {
	// BeforeWrite, if not nil, is called before each write.
	BeforeWrite func(*request.RequestInfo)
	// Touch, if not nil, writes an object as somebody else.
	Touch func(*request.RequestInfo)
	// ListOnly rejects watch-lists, like an API server without support for them.
	ListOnly bool

	next http.RoundTripper
	// alive is done when the manager has died.
	alive context.Context
	kill  context.CancelFunc

	mu     sync.Mutex
	writes []string
	asked  int
	reads  map[string][]byte
	crash  moment
	user   moment
	rate   float64
	left   int
	random *rand.Rand
	failed int

	past    map[string]string
	arrived chan struct{} // closed when everything in past was listed
	held    map[string]bool
	changed chan struct{} // closed and replaced when held changes
	streams map[*stream]bool
}

type moment struct {
	at   int
	sent bool
	do   func()
}

// NewLink returns a link.
func NewLink() *Link {
	l := &Link{reads: map[string][]byte{}, held: map[string]bool{}, changed: make(chan struct{}), streams: map[*stream]bool{}}
	l.alive, l.kill = context.WithCancel(context.Background())
	return l
}

// Wrap makes a manager use the link. It makes requests use JSON, so that the link
// can read watches.
func (l *Link) Wrap(cfg *rest.Config) {
	cfg.ContentType = runtime.ContentTypeJSON
	cfg.Wrap(func(next http.RoundTripper) http.RoundTripper {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.next = next
		return l
	})
}

// Travel makes the first list of each resource return the state at a resource
// version, and holds later events until Release. Call it before the link is used.
// The returned channel is closed when all of these lists were requested.
func (l *Link) Travel(past map[string]string) <-chan struct{} {
	l.past, l.arrived = maps.Clone(past), make(chan struct{})
	if len(past) == 0 {
		close(l.arrived)
	}
	return l.arrived
}

// Dead is closed when the manager has crashed.
func (l *Link) Dead() <-chan struct{} { return l.alive.Done() }

// IsDead reports whether the manager has crashed.
func (l *Link) IsDead() bool { return l.alive.Err() != nil }

// Kill makes the manager die now, as by a signal that can't be caught: none of its
// requests reach the API server any more.
func (l *Link) Kill() { l.kill() }

// Crash makes the manager die at the n-th write from now, counted from 1: before
// the write is sent, or after the API server has processed it. 0 cancels it.
func (l *Link) Crash(n int, sent bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.crash = moment{at: l.asked + n, sent: sent}
}

// User calls do right before the n-th write from now is sent, as a user who edits
// at that time.
func (l *Link) User(n int, do func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.user = moment{at: l.asked + n, do: do}
}

// NoUser cancels User, and reports whether it was still pending.
func (l *Link) NoUser() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	waiting := l.user.do != nil
	l.user = moment{}
	return waiting
}

// mostFailures limits the failed requests of a step. While half of all requests
// fail, a result that takes several requests might never come. After this many
// failures, a manager backs off for up to half a minute.
const mostFailures = 16

// Fail makes requests fail at the given rate, up to mostFailures times. A rate of 0
// ends the failures.
func (l *Link) Fail(rate float64, seed int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rate, l.left = rate, mostFailures
	l.random = rand.New(rand.NewSource(seed)) //nolint:gosec // Reproducible, not secret.
}

// Failed returns the number of injected failures.
func (l *Link) Failed() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.failed
}

// Writes returns the writes that were sent, except for events and writes that
// were rejected with a conflict.
func (l *Link) Writes() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.writes)
}

// LastRead returns the last response to a get of an object, or nil.
func (l *Link) LastRead(resource, name string) []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.reads[resource+"/"+name]
}

// RoundTrip implements http.RoundTripper.
func (l *Link) RoundTrip(r *http.Request) (*http.Response, error) {
	if l.IsDead() {
		return nil, closeBody(r, errDead)
	}
	info, err := infos.NewRequestInfo(r)
	if err != nil {
		return nil, closeBody(r, fmt.Errorf("reading a request: %w", err))
	}
	if info.Namespace == "" {
		// Discovery and the schemas, which the process reads at its start.
		return l.next.RoundTrip(r)
	}
	switch {
	case isWrite(info):
		return l.write(info, r)
	case info.Verb == "watch":
		return l.watch(info, r)
	case info.Verb == "list":
		return l.list(info, r)
	case info.Verb == "get":
		return l.read(info, r)
	default:
		return l.send(info, r)
	}
}

func (l *Link) write(info *request.RequestInfo, r *http.Request) (*http.Response, error) {
	l.mu.Lock()
	l.asked++
	var do func()
	if l.user.do != nil && l.asked >= l.user.at {
		do, l.user = l.user.do, moment{}
	}
	dies, sent := l.crash.at == l.asked, l.crash.sent
	l.mu.Unlock()
	if do != nil {
		do()
	}
	if l.BeforeWrite != nil {
		l.BeforeWrite(info)
	}
	if dies && !sent {
		l.kill()
		return nil, closeBody(r, errDead)
	}
	response, err := l.send(info, r)
	if err == nil && dies {
		_ = response.Body.Close()
		l.kill()
		return nil, errDead
	}
	return response, err
}

// send sends a request or injects a failure.
func (l *Link) send(info *request.RequestInfo, r *http.Request) (*http.Response, error) {
	failure := l.failure(info)
	switch {
	case failure == nil:
	case failure.touched:
		l.Touch(info)
		failure = nil
	case failure.status != nil:
		return statusResponse(r, failure.status), closeBody(r, nil)
	case !failure.sent:
		return nil, closeBody(r, failure.err)
	}
	response, err := l.next.RoundTrip(r)
	// A write that is rejected with a conflict has no effect: the cache was
	// slightly behind.
	if isWrite(info) && (err != nil || response.StatusCode != http.StatusConflict) {
		l.mu.Lock()
		l.writes = append(l.writes, fmt.Sprintf("%s %s/%s %s", info.Verb, info.Resource, info.Subresource, info.Name))
		l.mu.Unlock()
	}
	if err == nil && failure != nil {
		_ = response.Body.Close()
		return nil, failure.err
	}
	return response, err
}

func isWrite(info *request.RequestInfo) bool {
	return info.Resource != "events" && (info.Verb == "create" || info.Verb == "update" || info.Verb == "patch" || info.Verb == "delete")
}

func (l *Link) read(info *request.RequestInfo, r *http.Request) (*http.Response, error) {
	response, err := l.send(info, r)
	if err != nil || response.StatusCode != http.StatusOK {
		return response, err
	}
	body, err := io.ReadAll(response.Body)
	_ = response.Body.Close()
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.reads[info.Resource+"/"+info.Name] = body
	response.Body = io.NopCloser(bytes.NewReader(body))
	return response, nil
}

func closeBody(r *http.Request, err error) error {
	if r.Body != nil {
		_ = r.Body.Close()
	}
	return err
}

// failure is the way in which a request fails: with a status of the API server,
// or with a network error before or after the API server has processed it. If
// touched, somebody else writes the object first, and the API server itself
// decides.
type failure struct {
	status  *metav1.Status
	err     error
	sent    bool
	touched bool
}

// failure decides whether and how a request fails.
func (l *Link) failure(info *request.RequestInfo) *failure {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.rate == 0 || l.left == 0 || l.random.Float64() >= l.rate {
		return nil
	}
	l.failed++
	l.left--
	ways := []func() *failure{
		func() *failure { return refused(apierrors.NewTooManyRequests("too many on purpose", 0)) },
		func() *failure { return refused(apierrors.NewInternalError(errors.New("on purpose"))) },
		func() *failure { return refused(apierrors.NewServiceUnavailable("unavailable on purpose")) },
		func() *failure { return refused(apierrors.NewTimeoutError("timed out on purpose", 0)) },
		func() *failure { return &failure{err: os.ErrDeadlineExceeded} },
		func() *failure { return &failure{err: os.ErrDeadlineExceeded, sent: true} },
		func() *failure { return &failure{err: syscall.ECONNRESET} },
		func() *failure { return &failure{err: io.ErrUnexpectedEOF, sent: true} },
	}
	if l.Touch != nil && isWrite(info) && info.Verb != "create" {
		// A fabricated 409 would promise an event for a write that nobody made.
		touched := func() *failure { return &failure{touched: true} }
		ways = append(ways, touched, touched)
	}
	return ways[l.random.Intn(len(ways))]()
}

func refused(err *apierrors.StatusError) *failure {
	status := err.Status()
	status.TypeMeta = metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}
	return &failure{status: &status}
}

func statusResponse(r *http.Request, status *metav1.Status) *http.Response {
	body, err := json.Marshal(status)
	if err != nil {
		panic(err) // A Status can be encoded.
	}
	return &http.Response{
		StatusCode: int(status.Code), Status: http.StatusText(int(status.Code)), Request: r,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)),
	}
}
