// Package check determines whether the guard's policies are effective. In
// scopegate's own namespace it tries by dry run what each policy must reject or
// hold.
package check

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/scopegate/scopegate/internal/guard"
)

const (
	// interval is the time between two checks while all policies are effective.
	// retryInterval applies while one is not, so that a repair shows soon.
	interval      = time.Minute
	retryInterval = 5 * time.Second
	// tries is how many consecutive checks must find a problem before it is
	// reported: the API server needs a moment to apply new policies and CRDs.
	tries = 3
)

// Reasons of the events on a policy.
const (
	ReasonIneffective = "GuardIneffective"
	ReasonEffective   = "GuardEffective"
)

var ineffective = prometheus.NewDesc("scopegate_guard_ineffective",
	"1 for a policy of the guard that is not effective, else 0. The log and an event give the cause. Only in guard mode and from the leader.",
	[]string{"policy"}, nil)

// Checker checks the policies periodically and serves the results as a metric.
type Checker struct {
	client    client.Client
	namespace string
	recorder  events.EventRecorder

	mu sync.Mutex
	// found has the reason why each policy is not effective, "" if it is.
	found map[string]string
	// holdSeen is true if the hold was installed at some time since the manager
	// started. Only then is its absence reported.
	holdSeen bool
	// bindings and hold are what the last check found installed, for the log.
	bindings []string
	hold     string
}

// New returns a checker that tries its edits in namespace.
func New(cfg *rest.Config, scheme *runtime.Scheme, namespace string, recorder events.EventRecorder) (*Checker, error) {
	// The warnings of the policies about these edits do not belong in the log.
	cfg = rest.CopyConfig(cfg)
	cfg.WarningHandlerWithContext = rest.NoWarnings{}
	c, err := client.New(cfg, client.Options{Scheme: scheme})
	if err != nil {
		return nil, fmt.Errorf("setting up the check of the policies: %w", err)
	}
	return &Checker{client: c, namespace: namespace, recorder: recorder, found: map[string]string{}}, nil
}

// NeedLeaderElection reports that only the leader checks.
func (*Checker) NeedLeaderElection() bool { return true }

// Start checks until ctx is done. It never returns an error.
func (c *Checker) Start(ctx context.Context) error {
	failures := 0
	for {
		found, err := c.Check(ctx)
		wait := interval
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			log.FromContext(ctx).Error(err, "checking whether the policies are effective")
			wait = retryInterval
		case slices.ContainsFunc(slices.Collect(maps.Values(found)), func(why string) bool { return why != "" }):
			wait = retryInterval
			if failures++; failures >= tries {
				c.report(ctx, found)
			}
		default:
			failures = 0
			c.report(ctx, found)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
	}
}

// report stores the results, and logs and records what changed.
func (c *Checker) report(ctx context.Context, found map[string]string) {
	c.mu.Lock()
	before := c.found
	c.found = found
	c.mu.Unlock()
	if len(before) == 0 {
		effective := slices.DeleteFunc(slices.Sorted(maps.Keys(found)), func(policy string) bool { return found[policy] != "" })
		log.FromContext(ctx).Info("the policies are checked", "effective", effective, "bindings", c.bindings, "hold", c.hold)
	}
	for _, policy := range slices.Sorted(maps.Keys(found)) {
		why, known := found[policy], before[policy]
		switch {
		case why == known:
		case why == "":
			log.FromContext(ctx).Info("the policy is effective again", "policy", policy)
			c.recorder.Eventf(regarding(policy), nil, corev1.EventTypeNormal, ReasonEffective, "Check", "the policy is effective again")
		default:
			log.FromContext(ctx).Info("the policy is not effective", "policy", policy, "why", why)
			c.recorder.Eventf(regarding(policy), nil, corev1.EventTypeWarning, ReasonIneffective, "Check", "the policy is not effective: %s", why)
		}
	}
}

// regarding returns a policy, which may not exist, as the object of an event.
func regarding(policy string) client.Object {
	object := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Name: policy}}
	kind := "ValidatingAdmissionPolicy"
	if policy == guard.HoldPolicy {
		kind = "MutatingAdmissionPolicy"
	}
	object.SetGroupVersionKind(admissionv1.SchemeGroupVersion.WithKind(kind))
	return object
}

// Describe implements prometheus.Collector.
func (*Checker) Describe(descriptions chan<- *prometheus.Desc) { descriptions <- ineffective }

// Collect sends a sample for each policy that was checked.
func (c *Checker) Collect(samples chan<- prometheus.Metric) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for policy, why := range c.found {
		value := 0.0
		if why != "" {
			value = 1
		}
		samples <- prometheus.MustNewConstMetric(ineffective, prometheus.GaugeValue, value, policy)
	}
}
