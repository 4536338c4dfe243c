package operator

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"
)

// answers simulates an API server that first returns these errors and then
// succeeds.
type answers struct {
	errs   []error
	bodies []string
}

func (a *answers) RoundTrip(request *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(request.Body)
	if err != nil {
		return nil, err
	}
	a.bodies = append(a.bodies, string(body))
	_ = request.Body.Close()
	if len(a.errs) > 0 {
		err, a.errs = a.errs[0], a.errs[1:]
		return nil, err
	}
	return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody}, nil
}

func TestRetryRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		errs []error
		// timeout is the timeout of the request, 0 for none.
		timeout time.Duration
		want    error
		sent    int
	}{
		"answered":         {sent: 1},
		"refused once":     {errs: []error{syscall.ECONNREFUSED}, sent: 2},
		"broken":           {errs: []error{syscall.ECONNRESET}, want: syscall.ECONNRESET, sent: 1},
		"refused too long": {errs: []error{syscall.ECONNREFUSED, nil}, timeout: time.Millisecond, want: syscall.ECONNREFUSED, sent: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx := t.Context()
			if c.timeout > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, c.timeout)
				defer cancel()
			}
			request, err := http.NewRequestWithContext(ctx, http.MethodPatch, "https://example.com", strings.NewReader("body"))
			if err != nil {
				t.Fatal(err)
			}
			server := &answers{errs: c.errs}
			response, err := (&refusedRetrier{server}).RoundTrip(request)
			if err == nil {
				_ = response.Body.Close()
			}
			if !errors.Is(err, c.want) || len(server.bodies) != c.sent {
				t.Errorf("got %v after %d requests, want %v after %d", err, len(server.bodies), c.want, c.sent)
			}
			for _, body := range server.bodies {
				if body != "body" {
					t.Errorf("sent the body %q", body)
				}
			}
		})
	}
}
