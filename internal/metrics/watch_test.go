package metrics_test

import (
	"errors"
	"io"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	toolscache "k8s.io/client-go/tools/cache"

	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/internal/metrics"
	"github.com/scopegate/scopegate/internal/testing/expect"
)

// TestWatchErrors checks that a missing right and an object that can't be decoded count,
// and what happens to every watch does not.
func TestWatchErrors(t *testing.T) {
	reflector := toolscache.NewReflector(nil, &v1beta1.MCPServer{}, nil, 0)
	counter := metrics.WatchErrors.WithLabelValues("*v1beta1.MCPServer")
	for _, tc := range []struct {
		err  error
		want float64
	}{
		{io.EOF, 0},
		{io.ErrUnexpectedEOF, 0},
		{apierrors.NewResourceExpired("too old"), 0},
		{&apierrors.StatusError{ErrStatus: metav1.Status{Reason: metav1.StatusReasonGone}}, 0},
		{apierrors.NewForbidden(schema.GroupResource{}, "", nil), 1},
		{errors.New("cannot unmarshal"), 2},
	} {
		metrics.CountWatchError(t.Context(), reflector, tc.err)
		expect.Equal(t, tc.err.Error(), tc.want, testutil.ToFloat64(counter))
	}
}
