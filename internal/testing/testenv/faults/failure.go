package faults

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"syscall"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apiserver/pkg/endpoints/request"
)

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

// timeoutError is the error of a client whose request times out.
type timeoutError struct{}

func (timeoutError) Error() string   { return "timed out on purpose" }
func (timeoutError) Timeout() bool   { return true }
func (timeoutError) Temporary() bool { return true }

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
		func() *failure { return &failure{err: timeoutError{}} },
		func() *failure { return &failure{err: timeoutError{}, sent: true} },
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
