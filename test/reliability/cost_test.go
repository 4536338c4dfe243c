package reliability_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/internal/testing/testenv"
)

const (
	costConsumers = 200
	costRounds    = 20
)

// TestFailingRequestsCost measures how much longer one edit of a config with many
// consumers takes until the last condition is right, where a share of the
// requests fails. It is for the table alone.
func TestFailingRequestsCost(t *testing.T) {
	if full() == 0 {
		t.Skip("only in a full run")
	}
	ctx, started := t.Context(), time.Now()
	w, err := newWorld(ctx, standalone, "cost")
	expect.NoError(t, err)
	w.follow(true)
	for _, name := range testenv.Many("many", costConsumers) {
		server := testenv.Server(w.namespace, name, testenv.AuthServerRef("a", "openid"))
		// There is none, so statuses are all there is to write.
		server.Spec.OIDCConfigRef.Name = "none"
		expect.NoError(t, w.Client.Create(ctx, server))
	}
	k := keep(ctx, w, 16, start{})
	rates := []float64{0, 0.25, 0.5}
	took := map[float64][]time.Duration{}
	for round := range costRounds {
		for i, rate := range rates {
			link := k.current()
			link.Fail(rate, int64(round), -1)
			scopes, want := []string{"openid"}, metav1.ConditionTrue
			if (round*len(rates)+i)%2 == 1 {
				scopes, want = []string{"openid", "admin"}, metav1.ConditionFalse
			}
			begin := time.Now()
			w.mu.Lock()
			err := setBaseline("a", scopes, nil).do(ctx, w)
			w.mu.Unlock()
			expect.NoError(t, err)
			expect.NoError(t, w.seen.await(ctx, w.namespace, func() string { return notAll(ctx, w, want) }))
			took[rate] = append(took[rate], time.Since(begin))
		}
	}
	if err := k.end(); err != nil {
		t.Error(err)
	}
	median := func(rate float64) time.Duration {
		slices.Sort(took[rate])
		return took[rate][len(took[rate])/2]
	}
	for _, rate := range rates[1:] {
		report("R5", started, fmt.Sprintf("one edit of a config with %d consumers, %d rounds, %.0f %% of all requests fail", costConsumers, costRounds, 100*rate),
			"median %s, without failures %s: ratio %.2f",
			median(rate).Round(time.Millisecond), median(0).Round(time.Millisecond), float64(median(rate))/float64(median(0)))
	}
}

// notAll reports a server that does not say want yet.
func notAll(ctx context.Context, w *world, want metav1.ConditionStatus) string {
	list := &v1beta1.MCPServerList{}
	if err := w.seen.List(ctx, list, client.InNamespace(w.namespace), client.UnsafeDisableDeepCopy); err != nil {
		return err.Error()
	}
	for i := range list.Items {
		server := &list.Items[i]
		if server.Spec.AuthServerRef == nil || server.Spec.AuthServerRef.Name != "a" || server.Name == "web" {
			continue
		}
		if got := testenv.Valid(server).Status; got != want {
			return fmt.Sprintf("%s says %s, want %s", server.Name, got, want)
		}
	}
	return ""
}
