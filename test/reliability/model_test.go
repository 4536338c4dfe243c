package reliability_test

import (
	"context"
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/api/v1alpha1"
	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/internal/condition"
	"github.com/scopegate/scopegate/internal/kinds"
	"github.com/scopegate/scopegate/internal/resolve"
	"github.com/scopegate/scopegate/internal/rollout"
	"github.com/scopegate/scopegate/internal/status"
	"github.com/scopegate/scopegate/internal/testing/testenv"
)

// model has the expected state of each child, by kind and name: absent,
// present, a run config, somebody else's, or anything that no auth server
// refuses.
type model map[string]string

const (
	absent        = "absent"
	present       = "present"
	anything      = "anything"
	foreignPrefix = "somebody else's "
)

func (m model) set(kind, name, state string) { m[kind+" "+name] = state }

func (m model) get(kind, name string) string {
	if state, ok := m[kind+" "+name]; ok {
		return state
	}
	return absent
}

// follow updates the states of the children by the user's objects. A held
// rollout leaves a child as it was. If exact is false, its state before is not
// known, and it may be anything.
func (m model) follow(objects map[string]client.Object, exact bool) {
	for key, seed := range seeds("") {
		consumer, ok := resolve.ConsumerOf(seed)
		if !ok {
			continue
		}
		name := rollout.ChildName(consumer)
		deployment, service := m.get("Deployment", name), m.get("Service", name)
		taken := isForeign(deployment) || isForeign(service)
		kept := func(state string) string {
			if isForeign(state) || exact {
				return state
			}
			return anything
		}
		object, exists := objects[key]
		gone := func(state string) string {
			if isForeign(state) {
				return state
			}
			return absent
		}
		if !exists {
			m.set("Deployment", name, gone(deployment))
			m.set("Service", name, gone(service))
			continue
		}
		pair := resolvePair(objects, object)
		checked, hold := rollout.Check(pair, oidcConfigFound(objects, pair))
		switch {
		case pair.Verdict.State == resolve.NoAuthServer && !pair.Consumer.References():
			deployment, service = gone(deployment), gone(service)
		case pair.Verdict.State == resolve.NoAuthServer, hold != nil, taken:
			deployment, service = kept(deployment), kept(service)
		default:
			deployment, service = checked.RunConfig(), present
		}
		m.set("Deployment", name, deployment)
		m.set("Service", name, service)
	}
}

func isForeign(state string) bool { return strings.HasPrefix(state, foreignPrefix) }

func resolvePair(objects map[string]client.Object, object client.Object) resolve.Pair {
	consumer, _ := resolve.ConsumerOf(object)
	pair, _ := resolve.Resolve(consumer, func(name string) (*v1beta1.MCPExternalAuthConfig, error) {
		config, _ := objects[name].(*v1beta1.MCPExternalAuthConfig)
		return config, nil
	})
	return pair
}

func oidcConfigFound(objects map[string]client.Object, pair resolve.Pair) bool {
	_, found := objects[pair.Consumer.OIDCConfigName()].(*v1beta1.MCPOIDCConfig)
	return found
}

// conditions returns the conditions that an object must have.
func (m model) conditions(objects map[string]client.Object, object client.Object) []metav1.Condition {
	if config, ok := object.(*v1beta1.MCPExternalAuthConfig); ok {
		var pairs []resolve.Pair
		for _, other := range objects {
			if consumer, ok := resolve.ConsumerOf(other); ok && slices.Contains(consumer.ConfigNames(), config.Name) {
				pairs = append(pairs, resolvePair(objects, other))
			}
		}
		return nonNil(condition.ForConfig(config, pairs))
	}
	pair := resolvePair(objects, object)
	conditions := nonNil(condition.ForConsumer(pair))
	if pair.Verdict.State == resolve.NoAuthServer {
		return conditions
	}
	_, hold := rollout.Check(pair, oidcConfigFound(objects, pair))
	name := rollout.ChildName(pair.Consumer)
	switch {
	case hold != nil:
		return append(conditions, condition.Held(hold.Reason, hold.Message, hold.Stalled)...)
	case isForeign(m.get("Deployment", name)) || isForeign(m.get("Service", name)):
		return append(conditions, condition.Held(v1alpha1.ReasonNameConflict, anything, false)...)
	default:
		// Nobody runs Deployments here, so none is ever done.
		return append(conditions, condition.RolloutProgress(false, anything)...)
	}
}

func nonNil(condition *metav1.Condition) []metav1.Condition {
	if condition == nil {
		return nil
	}
	return []metav1.Condition{*condition}
}

// wrong describes something that differs from the model, or returns "".
func (m model) wrong(w *world) string {
	for key, object := range w.objects {
		if _, ok := object.(kinds.Object); !ok || key == "oidc" {
			continue
		}
		if text := m.wrongStatus(w, key, object); text != "" {
			return text
		}
	}
	for _, key := range consumerKeys {
		name := childOf(w.namespace, key)
		for kind, child := range map[string]client.Object{"Deployment": &appsv1.Deployment{}, "Service": &corev1.Service{}} {
			err := w.seen.Get(context.Background(), client.ObjectKey{Namespace: w.namespace, Name: name}, child, client.UnsafeDisableDeepCopy)
			if client.IgnoreNotFound(err) != nil {
				return err.Error()
			}
			if want, got := m.get(kind, name), stateOf(w, child, w.objects[key]); want != got && (want != anything || isForeign(got)) {
				return fmt.Sprintf("the %s of %s is %s, want %s", kind, key, got, want)
			}
		}
	}
	return ""
}

func (m model) wrongStatus(w *world, key string, object client.Object) string {
	got := object.DeepCopyObject().(kinds.Object)
	if err := w.seen.Get(context.Background(), client.ObjectKeyFromObject(object), got, client.UnsafeDisableDeepCopy); err != nil {
		return fmt.Sprintf("%s: %v", key, err)
	}
	if got.GetUID() != object.GetUID() || got.GetGeneration() != object.GetGeneration() {
		return key + " is not seen yet as it was edited last"
	}
	current := got.GetStatus()
	if current.ObservedGeneration != got.GetGeneration() {
		return fmt.Sprintf("%s: observedGeneration %d of %d", key, current.ObservedGeneration, got.GetGeneration())
	}
	want := m.conditions(w.objects, object)
	if len(want) != len(current.Conditions) {
		return fmt.Sprintf("%s has the conditions %+v, want %+v", key, current.Conditions, want)
	}
	for _, condition := range want {
		found := testenv.Condition(current.Conditions, condition.Type)
		told := condition.Message == found.Message || strings.Contains(condition.Message, anything)
		if found.Status != condition.Status || found.Reason != condition.Reason || !told || found.ObservedGeneration != got.GetGeneration() {
			return fmt.Sprintf("%s has the condition %+v, want %+v", key, found, condition)
		}
	}
	return ""
}

// stateOf returns the state of a child, in the words of the model.
func stateOf(w *world, child, owner client.Object) string {
	if child.GetName() == "" {
		return absent
	}
	if w.deleted[child.GetUID()] {
		return "deleted, and still seen"
	}
	if metav1.GetControllerOf(child) == nil {
		for _, entry := range child.GetManagedFields() {
			if entry.Manager == status.FieldManager {
				return "somebody else's, and written by scopegate"
			}
		}
		return foreignPrefix + string(child.GetUID())
	}
	if owner == nil || !metav1.IsControlledBy(child, owner) {
		return "of a consumer that is gone"
	}
	if deployment, ok := child.(*appsv1.Deployment); ok {
		return deployment.Spec.Template.Annotations[rollout.RunConfigAnnotation]
	}
	return present
}
