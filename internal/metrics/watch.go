package metrics

import (
	"context"
	"errors"
	"io"

	"github.com/prometheus/client_golang/prometheus"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	toolscache "k8s.io/client-go/tools/cache"
)

// WatchErrors counts what CountWatchError is told.
var WatchErrors = prometheus.NewCounterVec(prometheus.CounterOpts{
	Name: "scopegate_watch_errors_total",
	Help: "Lists and watches that failed, by the Go type of what they read. The cache then keeps what it had.",
}, []string{"type"})

// CountWatchError counts a list or a watch of a cache that failed, and logs it. It does
// not count what happens to every watch: its end, and a version that is too old.
func CountWatchError(ctx context.Context, reflector *toolscache.Reflector, err error) {
	toolscache.DefaultWatchErrorHandler(ctx, reflector, err)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || apierrors.IsResourceExpired(err) || apierrors.IsGone(err) {
		return
	}
	WatchErrors.WithLabelValues(reflector.TypeDescription()).Inc()
}
