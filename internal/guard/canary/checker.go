// Package canary determines whether the guard's policies are effective. It compares
// each policy and binding with the file of config/guard, and tries by dry run, in a
// namespace of its own, what can be tried there.
package canary

import (
	"context"
	"fmt"
	"maps"
	"slices"
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
	interval      = 45 * time.Second
	retryInterval = 5 * time.Second
	// checkTimeout limits one check.
	checkTimeout = 30 * time.Second
	// tries is how many consecutive checks must find a problem before it is
	// reported: the API server needs a moment to apply new policies and CRDs.
	tries = 3
)

// Reasons of the events on a policy.
const (
	ReasonIneffective = "GuardIneffective"
	ReasonEffective   = "GuardEffective"
)

// Finding is why an object of the guard is not effective. The zero value means that
// it is.
type Finding struct {
	Cause   Cause
	Message string
}

// Cause is the kind of a finding, a label of the metric.
type Cause string

// The causes.
const (
	// Missing means that the policy or one of its bindings does not exist.
	Missing Cause = "Missing"
	// Changed means that the policy or one of its bindings is not as in the file.
	Changed Cause = "Changed"
	// OtherRelease means that the policy or one of its bindings differs from the
	// file, and has the label of another release of scopegate.
	OtherRelease Cause = "OtherRelease"
	// DoesNotFit means that an expression of the policy does not fit the CRDs.
	DoesNotFit Cause = "DoesNotFit"
	// Admitted means that what must be refused was admitted by dry run.
	Admitted Cause = "Admitted"
	// NotTried means that the check could not read or try what it must.
	NotTried Cause = "NotTried"
)

var (
	ineffective = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "scopegate_guard_ineffective",
		Help: "1 for a policy of the guard that is not effective, else 0; scopegate-canary stands for the namespace in which they are tried. The log and an event tell more. Only in guard mode and from the leader.",
	}, []string{"policy", "cause"})
	// Unlike a gauge, a vector has no sample before the first check.
	checked = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "scopegate_guard_check_timestamp_seconds",
		Help: "The time of the last complete check of the policies, as Unix time. Only in guard mode and from the leader.",
	}, nil)
)

// Metrics are what the Checker of this process found.
var Metrics = []prometheus.Collector{ineffective, checked}

// Checker checks the policies periodically and sets Metrics.
type Checker struct {
	client   client.Client
	policies []guard.Policy
	recorder events.EventRecorder

	// failures counts the consecutive checks that found a problem, by policy.
	failures map[string]int
	// startUpSeen is true if the optional policy was there once.
	startUpSeen bool
	// reported are the findings that were logged, by policy.
	reported map[string]Finding
}

// New returns a checker of policies, which it completes with the API server's defaults.
// The start-up policy may be absent.
func New(cfg *rest.Config, scheme *runtime.Scheme, policies []guard.Policy, recorder events.EventRecorder) (*Checker, error) {
	// The warnings of the policies about these edits do not belong in the log.
	cfg = rest.CopyConfig(cfg)
	cfg.WarningHandlerWithContext = rest.NoWarnings{}
	c, err := client.New(cfg, client.Options{Scheme: scheme})
	if err != nil {
		return nil, fmt.Errorf("setting up the check of the policies: %w", err)
	}
	for _, policy := range policies {
		setDefaults(policy.Spec.MatchConstraints)
		for _, binding := range policy.Bindings {
			setDefaults(binding.Spec.MatchResources)
		}
	}
	return &Checker{client: c, policies: policies, recorder: recorder, failures: map[string]int{}, reported: map[string]Finding{}}, nil
}

// Start checks until ctx is done. It never returns an error. A manager starts it on the
// leader only.
func (c *Checker) Start(ctx context.Context) error {
	for {
		limited, cancel := context.WithTimeout(ctx, checkTimeout)
		found, err := c.Check(limited)
		cancel()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			log.FromContext(ctx).Error(err, "checking whether the policies are effective")
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(c.report(ctx, found, err == nil)):
		}
	}
}

// report stores the findings of a check, and logs and records what changed. It
// returns the time until the next check.
func (c *Checker) report(ctx context.Context, found map[string]Finding, complete bool) time.Duration {
	if complete {
		if len(c.reported) == 0 {
			log.FromContext(ctx).Info("the policies are checked", "policies", slices.Sorted(maps.Keys(found)))
		}
		checked.WithLabelValues().SetToCurrentTime()
		// An optional policy that is gone.
		for policy, finding := range c.reported {
			if _, found := found[policy]; !found {
				delete(c.reported, policy)
				ineffective.DeleteLabelValues(policy, string(finding.Cause))
			}
		}
	}
	next := interval
	if !complete {
		next = retryInterval
	}
	for _, policy := range slices.Sorted(maps.Keys(found)) {
		finding, before := found[policy], c.reported[policy]
		if finding == (Finding{}) {
			c.failures[policy] = 0
		} else {
			next = retryInterval
			if c.failures[policy]++; c.failures[policy] < tries {
				continue
			}
		}
		c.reported[policy] = finding
		if finding.Cause != before.Cause {
			ineffective.DeleteLabelValues(policy, string(before.Cause))
		}
		value := 0.0
		if finding.Cause != "" {
			value = 1
		}
		ineffective.WithLabelValues(policy, string(finding.Cause)).Set(value)
		switch {
		case finding.Cause == before.Cause:
		case finding.Cause == "":
			log.FromContext(ctx).Info("the policy is effective again", "policy", policy)
			c.recorder.Eventf(regarding(policy), nil, corev1.EventTypeNormal, ReasonEffective, "Check", "it is effective again")
		default:
			log.FromContext(ctx).Info("the policy is not effective", "policy", policy, "cause", finding.Cause, "why", finding.Message)
			c.recorder.Eventf(regarding(policy), nil, corev1.EventTypeWarning, ReasonIneffective, "Check", "it is not effective: %s", finding.Message)
		}
	}
	return next
}

// regarding returns a policy, which may not exist, or the canary's namespace as the
// object of an event.
func regarding(policy string) client.Object {
	object := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Name: policy}}
	object.SetGroupVersionKind(admissionv1.SchemeGroupVersion.WithKind("ValidatingAdmissionPolicy"))
	if policy == guard.CanaryNamespace {
		object.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Namespace"))
	}
	return object
}
