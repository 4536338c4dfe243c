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

	"github.com/scopegate/scopegate/internal/testing/expect"
)

// answers plays an API server that gives these errors, and then answers.
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

func TestPatience(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		errs []error
		// patience is how long the request may take, 0 for ever.
		patience time.Duration
		want     error
		sent     int
	}{
		"answered":         {sent: 1},
		"refused once":     {errs: []error{syscall.ECONNREFUSED}, sent: 2},
		"broken":           {errs: []error{syscall.ECONNRESET}, want: syscall.ECONNRESET, sent: 1},
		"refused too long": {errs: []error{syscall.ECONNREFUSED, nil}, patience: time.Millisecond, want: syscall.ECONNREFUSED, sent: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx := t.Context()
			if c.patience > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, c.patience)
				defer cancel()
			}
			request, err := http.NewRequestWithContext(ctx, http.MethodPatch, "https://example.com", strings.NewReader("body"))
			expect.NoError(t, err)
			server := &answers{errs: c.errs}
			response, err := (&patient{server}).RoundTrip(request)
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
