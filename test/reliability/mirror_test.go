package reliability_test

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/internal/kinds"
	"github.com/scopegate/scopegate/internal/operator"
)

// mirror follows all objects of the API server, over a connection that nothing
// disturbs.
type mirror struct {
	cache.Cache
	mu      sync.Mutex
	changed map[string]chan struct{}
}

func newMirror(ctx context.Context, cfg *rest.Config) (*mirror, error) {
	objects, err := cache.New(cfg, cache.Options{Scheme: operator.Scheme})
	if err != nil {
		return nil, err
	}
	m := &mirror{Cache: objects, changed: map[string]chan struct{}{}}
	notify := toolscache.ResourceEventHandlerFuncs{
		AddFunc:    func(object any) { m.notify(object) },
		UpdateFunc: func(_, object any) { m.notify(object) },
		DeleteFunc: m.notify,
	}
	for _, kind := range []client.Object{
		&v1beta1.MCPExternalAuthConfig{}, &v1beta1.MCPServer{}, &v1beta1.MCPRemoteProxy{}, &v1beta1.VirtualMCPServer{},
		&appsv1.Deployment{}, &corev1.Service{},
	} {
		informer, err := objects.GetInformer(ctx, kind, cache.BlockUntilSynced(false))
		if err != nil {
			return nil, err
		}
		if _, err := informer.AddEventHandler(notify); err != nil {
			return nil, err
		}
	}
	go func() { _ = objects.Start(ctx) }()
	if !objects.WaitForCacheSync(ctx) {
		return nil, ctx.Err()
	}
	return m, nil
}

func (m *mirror) notify(object any) {
	if tombstone, ok := object.(toolscache.DeletedFinalStateUnknown); ok {
		object = tombstone.Obj
	}
	namespace := object.(client.Object).GetNamespace()
	m.mu.Lock()
	defer m.mu.Unlock()
	if changed, ok := m.changed[namespace]; ok {
		close(changed)
		delete(m.changed, namespace)
	}
}

// next returns a channel that is closed when something in a namespace changes.
func (m *mirror) next(namespace string) <-chan struct{} {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.changed[namespace] == nil {
		m.changed[namespace] = make(chan struct{})
	}
	return m.changed[namespace]
}

// await calls wrong after each change in a namespace, until nothing is wrong.
func (m *mirror) await(ctx context.Context, namespace string, wrong func() string) error {
	ctx, cancel := context.WithTimeout(ctx, *patience)
	defer cancel()
	for {
		changed := m.next(namespace)
		text := wrong()
		if text == "" {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("%w: %s", ctx.Err(), text)
		}
	}
}

var heldSince = regexp.MustCompile(`held since [-:0-9TZ]+`)

// snapshot returns the final content of a namespace, without what differs
// between two runs: names of namespaces, times, and what the API server counts.
func snapshot(ctx context.Context, w *world) (string, error) {
	var lines []string
	for _, list := range []client.ObjectList{
		&v1beta1.MCPExternalAuthConfigList{}, &v1beta1.MCPServerList{}, &v1beta1.MCPRemoteProxyList{}, &v1beta1.VirtualMCPServerList{},
		&appsv1.DeploymentList{}, &corev1.ServiceList{},
	} {
		if err := w.Client.List(ctx, list, client.InNamespace(w.namespace)); err != nil {
			return "", err
		}
		err := meta.EachListItem(list, func(item runtime.Object) error {
			object := item.(client.Object)
			var owners []string
			for _, owner := range object.GetOwnerReferences() {
				owners = append(owners, owner.Kind+" "+owner.Name)
			}
			text, err := json.Marshal(content(object))
			lines = append(lines, fmt.Sprintf("%T %s of %v labels %v: %s", object, object.GetName(), owners, object.GetLabels(), text))
			return err
		})
		if err != nil {
			return "", err
		}
	}
	slices.Sort(lines)
	return heldSince.ReplaceAllString(strings.ReplaceAll(strings.Join(lines, "\n"), w.namespace, "NAMESPACE"), "held since TIME"), nil
}

func content(object client.Object) any {
	switch object := object.(type) {
	case *appsv1.Deployment:
		return object.Spec
	case *corev1.Service:
		spec := object.Spec
		spec.ClusterIP, spec.ClusterIPs = "", nil
		return spec
	case kinds.Object:
		current := object.GetStatus().DeepCopy()
		for i := range current.Conditions {
			current.Conditions[i].LastTransitionTime = metav1.Time{}
		}
		slices.SortFunc(current.Conditions, func(a, b metav1.Condition) int { return strings.Compare(a.Type, b.Type) })
		return current
	default:
		return nil
	}
}
