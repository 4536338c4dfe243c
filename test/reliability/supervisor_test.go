package reliability_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/uuid"
	"k8s.io/apiserver/pkg/endpoints/request"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/internal/operator"
	"github.com/scopegate/scopegate/internal/resolve"
	"github.com/scopegate/scopegate/internal/testing/testenv"
	"github.com/scopegate/scopegate/test/reliability/faults"
)

// supervisor runs a manager for one namespace, and starts another when it has
// crashed, as kubelet does.
type supervisor struct {
	world       *world
	concurrency int

	mu      sync.Mutex
	link    *faults.Link
	manager *testenv.Manager
	arrived <-chan struct{}
	lives   int
	sent    []string
	failed  int
	// next is how the next life starts.
	next  start
	wrong []string

	stop    context.CancelFunc
	stopped chan struct{}
}

// start is how a life of the manager starts: with lists only, or with some
// resources as they were.
type start struct {
	listOnly bool
	past     map[string]string
	crash    int
	sent     bool
}

func keep(ctx context.Context, w *world, concurrency int, first start) *supervisor {
	ctx, stop := context.WithCancel(ctx)
	k := &supervisor{world: w, concurrency: concurrency, next: first, stop: stop, stopped: make(chan struct{})}
	go func() {
		defer close(k.stopped)
		for ctx.Err() == nil {
			k.live(ctx)
		}
	}()
	return k
}

func (k *supervisor) live(ctx context.Context) {
	link := faults.NewLink()
	link.BeforeWrite = func(info *request.RequestInfo) { k.evaluate(link, info) }
	link.Touch = func(info *request.RequestInfo) { k.touch(ctx, info) }
	k.mu.Lock()
	link.ListOnly = k.next.listOnly
	arrived := link.Travel(k.next.past)
	if k.next.crash > 0 {
		link.Crash(k.next.crash, k.next.sent)
	}
	k.next.past, k.next.crash = nil, 0
	k.mu.Unlock()
	options := k.world.manager
	options.Namespaces, options.Concurrency = []string{k.world.namespace}, k.concurrency
	manager, err := k.world.RunWith(ctx, link.Wrap, options)
	if err != nil {
		if ctx.Err() == nil {
			k.blame("the manager does not start: %v", err)
			k.stop()
		}
		return
	}
	k.mu.Lock()
	k.link, k.manager, k.arrived = link, manager, arrived
	k.lives++
	k.mu.Unlock()
	select {
	case <-ctx.Done():
		err = manager.Stop()
	case <-link.Dead():
		_ = manager.Stop()
		err = nil
	case err = <-manager.Done():
		err = errors.Join(errors.New("it ended by itself"), err)
	}
	k.mu.Lock()
	k.sent = append(k.sent, link.Writes()...)
	k.failed += link.Failed()
	k.mu.Unlock()
	if err != nil {
		k.blame("the manager: %v", err)
		k.stop()
	}
}

func (k *supervisor) blame(format string, args ...any) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.wrong = append(k.wrong, fmt.Sprintf(format, args...))
}

// evaluate reports an unsafe deletion: of the child of a consumer that needs an
// auth server, unless the API server said otherwise when the manager asked.
func (k *supervisor) evaluate(link *faults.Link, info *request.RequestInfo) {
	if info.Verb != "delete" || info.Resource != "deployments" && info.Resource != "services" {
		return
	}
	for _, key := range consumerKeys {
		if childOf(k.world.namespace, key) != info.Name {
			continue
		}
		text := link.LastRead(resourceOf[key], seeds(k.world.namespace)[key].GetName())
		if text == nil {
			k.blame("%s %s was deleted without asking whether %s still needs it", info.Resource, info.Name, key)
			return
		}
		object, _, err := serializer.NewCodecFactory(operator.Scheme).UniversalDeserializer().Decode(text, nil, nil)
		if err != nil {
			k.blame("reading %s: %v", key, err)
		}
		if consumer, _ := resolve.ConsumerOf(object); consumer.References() {
			k.blame("%s %s was deleted, but %s needs it", info.Resource, info.Name, key)
		}
	}
}

// touch annotates an object, which no verdict reads.
func (k *supervisor) touch(ctx context.Context, info *request.RequestInfo) {
	object := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Namespace: info.Namespace, Name: info.Name}}
	kind, err := k.world.Client.RESTMapper().KindFor(schema.GroupVersionResource{Group: info.APIGroup, Version: info.APIVersion, Resource: info.Resource})
	if err != nil {
		k.blame("touching %s: %v", info.Resource, err)
		return
	}
	object.SetGroupVersionKind(kind)
	patch := fmt.Appendf(nil, `{"metadata":{"annotations":{"touched":%q}}}`, uuid.NewUUID())
	err = k.world.Client.Patch(ctx, object, client.RawPatch(types.MergePatchType, patch))
	if client.IgnoreNotFound(err) != nil && ctx.Err() == nil {
		k.blame("touching %s %s: %v", info.Resource, info.Name, err)
	}
}

// current returns the link of the life that goes on, and waits for it.
func (k *supervisor) current() *faults.Link {
	for {
		k.mu.Lock()
		link := k.link
		k.mu.Unlock()
		if link != nil && !link.IsDead() {
			return link
		}
		select {
		case <-time.After(time.Millisecond):
		case <-k.stopped:
			return faults.NewLink()
		}
	}
}

// restart kills the manager, and returns when the next one has listed the past.
func (k *supervisor) restart(ctx context.Context, past map[string]string) {
	old := k.current()
	k.mu.Lock()
	manager := k.manager
	k.mu.Unlock()
	select {
	// See testenv.Manager.Stop.
	case <-manager.Ready():
	case <-old.Dead():
	case <-k.stopped:
		return
	}
	k.mu.Lock()
	k.next.past = maps.Clone(past)
	k.mu.Unlock()
	old.Kill()
	k.current()
	k.mu.Lock()
	arrived := k.arrived
	k.mu.Unlock()
	select {
	case <-arrived:
	case <-k.stopped:
	case <-ctx.Done():
	}
}

func (k *supervisor) end() error {
	k.stop()
	<-k.stopped
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.wrong) > 0 {
		return errors.New(strings.Join(k.wrong, "\n"))
	}
	return nil
}

// The resources that a manager watches.
var (
	standaloneResources = []string{
		"mcpexternalauthconfigs", "mcpservers", "mcpremoteproxies", "virtualmcpservers", "mcpoidcconfigs", "deployments", "services",
	}
	guardResources = []string{"mcpexternalauthconfigs", "mcpservers", "mcpremoteproxies", "virtualmcpservers"}
)

// resourceOf has the resources of the user's objects.
var resourceOf = map[string]string{
	"oidc": "mcpoidcconfigs", "a": "mcpexternalauthconfigs", "b": "mcpexternalauthconfigs",
	"web": "mcpservers", "api": "mcpservers", "proxy": "mcpremoteproxies", "virtual": "virtualmcpservers",
}
