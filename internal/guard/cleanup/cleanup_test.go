package cleanup

import (
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/scopegate/scopegate/internal/testing/expect"
)

// TestHolder has leases of 15 seconds and an empty one.
func TestHolder(t *testing.T) {
	now := time.Now()
	for name, test := range map[string]struct {
		change func(*coordinationv1.LeaseSpec)
		want   string
	}{
		"held":     {func(*coordinationv1.LeaseSpec) {}, "manager-1"},
		"expired":  {func(l *coordinationv1.LeaseSpec) { l.RenewTime.Time = now.Add(-16 * time.Second) }, ""},
		"given up": {func(l *coordinationv1.LeaseSpec) { *l.HolderIdentity = "" }, ""},
		"empty":    {func(l *coordinationv1.LeaseSpec) { *l = coordinationv1.LeaseSpec{} }, ""},
	} {
		renewed := metav1.NewMicroTime(now.Add(-14 * time.Second))
		lease := coordinationv1.LeaseSpec{HolderIdentity: ptr.To("manager-1"), RenewTime: &renewed, LeaseDurationSeconds: ptr.To[int32](15)}
		test.change(&lease)
		expect.Equal(t, name, test.want, holderOf(lease, now))
	}
}
