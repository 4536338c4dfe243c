// Package faults stands between one manager and a real API server, and lets go
// wrong on the wire what can: requests that fail or whose answer is lost, a
// process that dies between two writes, a user who is quicker than a write, and
// watches that lag, break or start in the past. But for the failures, what the
// manager gets is what the API server answered.
package faults

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand"
	"net/http"
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

var errDead = errors.New("the manager is dead: nothing that it asks for is sent")

var infos = request.RequestInfoFactory{APIPrefixes: sets.NewString("api", "apis"), GrouplessAPIPrefixes: sets.NewString("api")}

// Link connects one life of a manager, which watches a single namespace, with
// the API server. It does no harm until it is told to.
type Link struct {
	// BeforeWrite, if not nil, sees each write that is about to be sent.
	BeforeWrite func(*request.RequestInfo)
	// Touch, if not nil, writes an object as somebody else.
	Touch func(*request.RequestInfo)
	// ListOnly refuses watch-lists, as an API server does that has none.
	ListOnly bool

	next http.RoundTripper
	dead chan struct{}

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
	arrived chan struct{} // closed when nothing of past is still to be listed
	held    map[string]bool
	changed chan struct{} // closed, and made anew, when held changes
	streams map[*stream]bool
}

type moment struct {
	at   int
	sent bool
	do   func()
}

// NewLink returns a link.
func NewLink() *Link {
	return &Link{
		dead: make(chan struct{}), reads: map[string][]byte{},
		held: map[string]bool{}, changed: make(chan struct{}), streams: map[*stream]bool{},
	}
}

// Wrap makes a manager use the link. Its requests are JSON, so that watches can
// be read.
func (l *Link) Wrap(cfg *rest.Config) {
	cfg.ContentType = runtime.ContentTypeJSON
	cfg.Wrap(func(next http.RoundTripper) http.RoundTripper {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.next = next
		return l
	})
}

// Travel answers the first list of each resource as it was at a resource version,
// and holds what came after until Release. It is for a link that is not used yet.
// What it returns is closed when all of them were listed.
func (l *Link) Travel(past map[string]string) <-chan struct{} {
	l.past, l.arrived = maps.Clone(past), make(chan struct{})
	if len(past) == 0 {
		close(l.arrived)
	}
	return l.arrived
}

// Dead is closed when the manager has crashed.
func (l *Link) Dead() <-chan struct{} { return l.dead }

// Crash makes the manager die at the n-th write from now, from 1: before it is
// sent, or after the API server has done it.
func (l *Link) Crash(n int, sent bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.crash = moment{at: l.asked + n, sent: sent}
}

// NoCrash takes a Crash back that has not come.
func (l *Link) NoCrash() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.crash = moment{}
}

// User does what a user does right before the n-th write from now is sent.
func (l *Link) User(n int, do func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.user = moment{at: l.asked + n, do: do}
}

// NoUser takes a User back, and reports whether it was still to come.
func (l *Link) NoUser() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	waiting := l.user.do != nil
	l.user = moment{}
	return waiting
}

// Fail makes a share of all requests fail, until so many have; where most is
// negative, without end. 0 ends it.
func (l *Link) Fail(rate float64, seed int64, most int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rate, l.left = rate, most
	l.random = rand.New(rand.NewSource(seed)) //nolint:gosec // To be replayed, not to be secret.
}

// Failed returns how many requests were made to fail.
func (l *Link) Failed() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.failed
}

// Writes returns what the API server was asked to write, but for events and what
// a conflict refused.
func (l *Link) Writes() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.writes)
}

// LastRead returns what the API server answered last when the manager asked for
// one object, or nil.
func (l *Link) LastRead(resource, name string) []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.reads[resource+"/"+name]
}

// RoundTrip implements http.RoundTripper.
func (l *Link) RoundTrip(r *http.Request) (*http.Response, error) {
	select {
	case <-l.dead:
		return nil, closeBody(r, errDead)
	default:
	}
	info, err := infos.NewRequestInfo(r)
	if err != nil {
		return nil, closeBody(r, fmt.Errorf("reading a request: %w", err))
	}
	if info.Namespace == "" {
		// Discovery and the schemas, which the process starts with.
		return l.next.RoundTrip(r)
	}
	switch info.Verb {
	case "create", "update", "patch", "delete":
		if info.Resource == "events" {
			return l.send(info, r)
		}
		return l.write(info, r)
	case "watch":
		return l.watch(info, r)
	case "list":
		return l.list(info, r)
	default:
		return l.read(info, r)
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
		l.die()
		return nil, closeBody(r, errDead)
	}
	response, err := l.send(info, r)
	if err == nil && dies {
		_ = response.Body.Close()
		l.die()
		return nil, errDead
	}
	return response, err
}

// send sends a request, or lets it fail.
func (l *Link) send(info *request.RequestInfo, r *http.Request) (*http.Response, error) {
	failure := l.failure(info)
	switch {
	case failure == nil:
	case failure.touched:
		l.Touch(info)
		failure = nil
	case failure.status != nil:
		return failure.answer(r), closeBody(r, nil)
	case !failure.sent:
		return nil, closeBody(r, failure.err)
	}
	response, err := l.next.RoundTrip(r)
	// One that a conflict refuses writes nothing: the cache was a moment behind.
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

// Kill makes the manager die now.
func (l *Link) Kill() { l.die() }

// die ends the manager as a signal that can't be caught does: nothing of it
// reaches the API server any more.
func (l *Link) die() {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case <-l.dead:
		return
	default:
	}
	close(l.dead)
	for stream := range l.streams {
		stream.endAs(Cut)
	}
}

func closeBody(r *http.Request, err error) error {
	if r.Body != nil {
		_ = r.Body.Close()
	}
	return err
}

// failure is a request that fails: with a status of the API server, with an error
// of the network before or after the API server has done it, or, if touched, by
// the API server's own evaluation after somebody else has written the object.
type failure struct {
	status  *metav1.Status
	err     error
	sent    bool
	touched bool
}

// timeoutError is what a client gets whose request takes too long.
type timeoutError struct{}

func (timeoutError) Error() string   { return "timed out on purpose" }
func (timeoutError) Timeout() bool   { return true }
func (timeoutError) Temporary() bool { return true }

// failure decides whether a request fails, and how.
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
		func() *failure { return &failure{err: timeoutError{}} },
		func() *failure { return &failure{err: timeoutError{}, sent: true} },
		func() *failure { return &failure{err: syscall.ECONNRESET} },
		func() *failure { return &failure{err: io.ErrUnexpectedEOF, sent: true} },
	}
	if l.Touch != nil && isWrite(info) && info.Verb != "create" {
		// A 409 that is made up would promise an event of the other's write.
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

func (f *failure) answer(r *http.Request) *http.Response { return statusResponse(r, f.status) }

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
