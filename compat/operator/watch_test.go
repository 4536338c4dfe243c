package operator

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/internal/kinds"
	"github.com/scopegate/scopegate/internal/operator"
	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/internal/testing/testenv"
	"github.com/scopegate/scopegate/internal/toolhive"
)

// patience limits each wait. After a start of the API server, clients whose requests failed
// again and again take minutes to come back on a busy machine.
const patience = 10 * time.Minute

// verdict is a condition BaselineScopesValid, and when the watch showed it.
type verdict struct {
	metav1.Condition
	at time.Time
}

// refusal is the event about a pod that was not created.
type refusal struct {
	message string
	at      time.Time
}

// pod is a pod, and when the watch showed it first.
type pod struct {
	*corev1.Pod
	at   time.Time
	gone bool
	// bad means that its consumer was broken.
	bad bool
}

// consumer is everything that the watch has shown of one consumer, its Deployment
// and its pods.
type consumer struct {
	verdicts   []verdict
	refusals   []refusal
	deployment *appsv1.Deployment
	// templates are when the watch showed the first ReplicaSet of each pod template, by
	// its hash.
	templates map[string]time.Time
	pods      map[types.UID]*pod
	// broken is true from a bad edit to the repair.
	broken bool
}

// watcher follows all consumers.
type watcher struct {
	mu        sync.Mutex
	consumers map[types.NamespacedName]*consumer
	// changed is closed and replaced when the watch shows anything.
	changed chan struct{}
}

func startWatcher(t *testing.T, cluster *testenv.Cluster) *watcher {
	t.Helper()
	w := &watcher{consumers: map[types.NamespacedName]*consumer{}, changed: make(chan struct{})}
	informers, err := cache.New(cluster.Config, cache.Options{Scheme: operator.Scheme})
	expect.NoError(t, err)
	for _, kind := range []client.Object{
		&corev1.Pod{}, &corev1.Event{}, &appsv1.Deployment{}, &appsv1.ReplicaSet{}, &v1beta1.MCPServer{}, &v1beta1.MCPRemoteProxy{}, &v1beta1.VirtualMCPServer{},
	} {
		informer, err := informers.GetInformer(t.Context(), kind, cache.BlockUntilSynced(false))
		expect.NoError(t, err)
		_, err = informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
			AddFunc:    func(object any) { w.see(object, false) },
			UpdateFunc: func(_, object any) { w.see(object, false) },
			DeleteFunc: func(object any) {
				if last, missed := object.(toolscache.DeletedFinalStateUnknown); missed {
					object = last.Obj
				}
				w.see(object, true)
			},
		})
		expect.NoError(t, err)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	var running sync.WaitGroup
	running.Go(func() { _ = informers.Start(ctx) })
	running.Go(func() { w.playKubelet(ctx, cluster.Client) })
	t.Cleanup(func() {
		stop()
		running.Wait()
	})
	return w
}

// of returns what is known of a consumer. The caller holds the lock.
func (w *watcher) of(namespace, name string) *consumer {
	key := types.NamespacedName{Namespace: namespace, Name: name}
	if w.consumers[key] == nil {
		w.consumers[key] = &consumer{pods: map[types.UID]*pod{}, templates: map[string]time.Time{}}
	}
	return w.consumers[key]
}

func (w *watcher) see(object any, gone bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	switch object := object.(type) {
	case *corev1.Pod:
		c := w.of(object.Namespace, object.Labels[toolhive.InstanceLabel])
		if c.pods[object.UID] == nil {
			c.pods[object.UID] = &pod{at: now, bad: c.broken}
		}
		c.pods[object.UID].Pod, c.pods[object.UID].gone = object, gone
	case *corev1.Event:
		// The name of a ReplicaSet is that of its Deployment and a hash.
		if dash := strings.LastIndex(object.InvolvedObject.Name, "-"); object.Reason == "FailedCreate" && dash > 0 && !gone {
			c := w.of(object.Namespace, object.InvolvedObject.Name[:dash])
			c.refusals = append(c.refusals, refusal{object.Message, now})
		}
	case *appsv1.Deployment:
		w.of(object.Namespace, object.Name).deployment = object
	case *appsv1.ReplicaSet:
		templates, hash := w.of(object.Namespace, object.Labels[toolhive.InstanceLabel]).templates, object.Labels[appsv1.DefaultDeploymentUniqueLabelKey]
		if templates[hash].IsZero() {
			templates[hash] = now
		}
	case kinds.Object:
		c, found := w.of(object.GetNamespace(), object.GetName()), testenv.Valid(object)
		if last := len(c.verdicts) - 1; last < 0 || c.verdicts[last].Condition != found {
			c.verdicts = append(c.verdicts, verdict{found, now})
		}
	}
	close(w.changed)
	w.changed = make(chan struct{})
}

// await waits until ok returns true. ok is called with the lock.
func (w *watcher) await(t testing.TB, c types.NamespacedName, what string, ok func(*consumer) bool) {
	t.Helper()
	deadline := time.After(patience)
	for {
		w.mu.Lock()
		seen := w.of(c.Namespace, c.Name)
		done, changed := ok(seen), w.changed
		w.mu.Unlock()
		if done {
			return
		}
		select {
		case <-changed:
		case <-t.Context().Done():
			t.Fatalf("waiting until %s %s: %v", c, what, t.Context().Err())
		case <-deadline:
			w.mu.Lock()
			defer w.mu.Unlock()
			t.Fatalf("waiting until %s %s: it takes too long; verdicts %+v\nrefusals %+v\npods %v\nDeployment %+v",
				c, what, seen.verdicts, seen.refusals, slices.Collect(maps.Keys(seen.pods)), seen.deployment)
		}
	}
}

// with calls do with a consumer and the lock.
func (w *watcher) with(c types.NamespacedName, do func(*consumer)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	do(w.of(c.Namespace, c.Name))
}

// living returns the pods that exist.
func (c *consumer) living() []types.UID {
	var living []types.UID
	for uid, pod := range c.pods {
		if !pod.gone {
			living = append(living, uid)
		}
	}
	return living
}

// created returns the pods that the watch has shown since a time.
func (c *consumer) created(since time.Time) (created []*pod) {
	for _, pod := range c.pods {
		if pod.at.After(since) {
			created = append(created, pod)
		}
	}
	return created
}

// begun reports whether a pod is of a rollout that began before a time.
func (c *consumer) begun(pod *pod, before time.Time) bool {
	at := c.templates[pod.Labels[appsv1.DefaultDeploymentUniqueLabelKey]]
	return !at.IsZero() && at.Before(before)
}

// refused returns the first refusal since a time.
func (c *consumer) refused(since time.Time) (refusal, bool) {
	for _, r := range c.refusals {
		if r.at.After(since) {
			return r, true
		}
	}
	return refusal{}, false
}

// judged returns the first verdict since a time with a status on a generation.
func (c *consumer) judged(since time.Time, status metav1.ConditionStatus, generation int64) (verdict, bool) {
	for _, v := range c.verdicts {
		if v.at.After(since) && v.Status == status && v.ObservedGeneration == generation {
			return v, true
		}
	}
	return verdict{}, false
}

// rolledOut reports whether the one pod of the consumer's Deployment is the newest and
// is available.
func (c *consumer) rolledOut() bool {
	d := c.deployment
	return d != nil && d.Status.ObservedGeneration == d.Generation && len(c.living()) == 1 &&
		d.Status.Replicas == 1 && d.Status.UpdatedReplicas == 1 && d.Status.AvailableReplicas == 1
}

// current reports whether the condition is True, and the pod template of an MCPServer's
// Deployment is of the same generation. The operator may roll out an edit in two steps.
func (c *consumer) current() bool {
	if len(c.verdicts) == 0 {
		return false
	}
	last := c.verdicts[len(c.verdicts)-1]
	of, found := c.deployment.Spec.Template.Annotations["toolhive.stacklok.dev/mcpserver-generation"]
	return last.Status == metav1.ConditionTrue && (!found || of == strconv.FormatInt(last.ObservedGeneration, 10))
}

// replicaFailure returns the message of the Deployment's condition, if it is True.
func (c *consumer) replicaFailure() string {
	if c.deployment != nil {
		for _, condition := range c.deployment.Status.Conditions {
			if condition.Type == appsv1.DeploymentReplicaFailure && condition.Status == corev1.ConditionTrue {
				return condition.Message
			}
		}
	}
	return ""
}

// playKubelet makes pods ready without a node, except for bad ones.
func (w *watcher) playKubelet(ctx context.Context, c client.Client) {
	for ctx.Err() == nil {
		w.mu.Lock()
		changed := w.changed
		var ready []*corev1.Pod
		for _, consumer := range w.consumers {
			for _, pod := range consumer.pods {
				if !pod.gone && !pod.bad && pod.Status.Phase == corev1.PodPending {
					ready = append(ready, pod.DeepCopy())
				}
			}
		}
		w.mu.Unlock()
		for _, pod := range ready {
			pod.Status.Phase = corev1.PodRunning
			pod.Status.Conditions = append(pod.Status.Conditions, corev1.PodCondition{Type: corev1.PodReady, Status: corev1.ConditionTrue})
			// It fails while the API server is away. The next loop repeats it.
			_ = c.Status().Update(ctx, pod)
		}
		select {
		case <-ctx.Done():
		case <-changed:
		case <-time.After(time.Second):
		}
	}
}
