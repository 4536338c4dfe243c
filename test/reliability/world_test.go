package reliability_test

import (
	"context"
	"fmt"
	"math/rand"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/api/v1alpha1"
	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/internal/guard"
	"github.com/scopegate/scopegate/internal/resolve"
	"github.com/scopegate/scopegate/internal/rollout"
	"github.com/scopegate/scopegate/internal/testing/sample"
)

type world struct {
	*plane
	namespace string

	mu sync.Mutex
	// objects are the API server's responses to the user's last edits.
	objects map[string]client.Object
	// deleted are the children that the user deleted.
	deleted map[types.UID]bool
	model   model
	// toolHive is what ToolHive's operator has done, in guard mode.
	toolHive toolHive
}

// edit is something that a user does. It uses only names, so that it can be
// repeated in another namespace.
type edit struct {
	what string
	do   func(context.Context, *world) error
}

// seeds returns the objects that can exist, by their keys in the world.
func seeds(namespace string) map[string]client.Object {
	return map[string]client.Object{
		"oidc": sample.OIDCConfig(namespace, "oidc"),
		"a":    sample.Config(namespace, "a", "openid"),
		"b":    sample.Config(namespace, "b", "openid", "admin"),
		"web":  sample.Server(namespace, "web", sample.AuthServerRef("a")),
		"api":  sample.Server(namespace, "api", sample.AuthServerRef("b", "openid", "admin")),
		// The same name as an MCPServer's, of another kind.
		"proxy":   sample.Proxy(namespace, "web", sample.ExternalAuthConfigRef("a", "openid")),
		"virtual": sample.Virtual(namespace, "office", sample.AuthServer("openid")),
	}
}

var (
	configKeys   = []string{"a", "b"}
	consumerKeys = []string{"web", "api", "proxy", "virtual"}
	allKeys      = append([]string{"oidc"}, append(configKeys, consumerKeys...)...)
)

func newWorld(ctx context.Context, p *plane, namespace string) (*world, error) {
	err := p.Client.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name: namespace, Labels: map[string]string{guard.ModeLabel: guard.ModeEnforce},
	}})
	if err != nil {
		return nil, fmt.Errorf("creating a namespace: %w", err)
	}
	w := &world{plane: p, namespace: namespace, objects: map[string]client.Object{}, deleted: map[types.UID]bool{}, model: model{}, toolHive: newToolHive()}
	for _, key := range allKeys {
		if err := w.create(ctx, key); err != nil {
			return nil, err
		}
	}
	w.model.follow(w.objects, true)
	return w, nil
}

// await waits until nothing is wrong, or until ctx or the patience ends.
func (w *world) await(ctx context.Context, wrong func() string) error {
	text := ""
	err := wait.PollUntilContextTimeout(ctx, 10*time.Millisecond, *patience, true, func(context.Context) (bool, error) {
		text = wrong()
		return text == "", nil
	})
	if err != nil {
		return fmt.Errorf("%w: %s", err, text)
	}
	return nil
}

func (w *world) create(ctx context.Context, key string) error {
	object := seeds(w.namespace)[key]
	if err := w.Client.Create(ctx, object); err != nil {
		return fmt.Errorf("creating %s: %w", key, err)
	}
	w.objects[key] = object
	return nil
}

func (w *world) remove(ctx context.Context, key string) error {
	if err := w.Client.Delete(ctx, w.objects[key]); err != nil {
		return fmt.Errorf("deleting %s: %w", key, err)
	}
	delete(w.objects, key)
	w.model.follow(w.objects, true)
	return nil
}

// change edits an object that exists. An edit that the API server rejects
// changes nothing.
func change[T client.Object](ctx context.Context, w *world, key string, mutate func(T)) error {
	before, ok := w.objects[key]
	if !ok {
		return nil
	}
	after := before.DeepCopyObject().(T)
	mutate(after)
	err := w.Client.Patch(ctx, after, client.MergeFrom(before))
	if apierrors.IsInvalid(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("editing %s: %w", key, err)
	}
	w.objects[key] = after
	return nil
}

// references edits the references of an MCPServer or an MCPRemoteProxy.
func references(ctx context.Context, w *world, key string, mutate func(*v1alpha1.AuthReferences)) error {
	if key == "proxy" {
		return change(ctx, w, key, func(p *v1beta1.MCPRemoteProxy) { mutate(&p.Spec.AuthReferences) })
	}
	return change(ctx, w, key, func(s *v1beta1.MCPServer) { mutate(&s.Spec.AuthReferences) })
}

// do makes an edit, and then updates the model. If exact is false, the model
// accepts whatever any order of the edits since the last exact one could leave.
func (w *world) do(ctx context.Context, e edit, exact bool) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := e.do(ctx, w); err != nil {
		return fmt.Errorf("%s: %w", e.what, err)
	}
	w.model.follow(w.objects, exact)
	return nil
}

// follow updates the model. If exact is false, a held rollout may be anything
// from now on.
func (w *world) follow(exact bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.model.follow(w.objects, exact)
}

func (w *world) wrong() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.plane.wrong(w)
}

func pick[T any](random *rand.Rand, from []T) T { return from[random.Intn(len(from))] }

// weighted is a kind of edits, and how often it is drawn.
type weighted struct {
	weight int
	edit   func() edit
}

// edits returns what a user may do to the objects that have a verdict.
func edits(random *rand.Rand) []weighted {
	scopes := func() []string {
		return pick(random, [][]string{nil, {"openid"}, {"openid", "email"}, {"admin"}, {"openid", "admin"}})
	}
	return []weighted{
		{6, func() edit { return setBaseline(pick(random, configKeys), scopes(), nil) }},
		{1, func() edit {
			supported := []string{"openid", "admin"}
			return setBaseline(pick(random, configKeys), supported[:random.Intn(3)], supported)
		}},
		{4, func() edit { return setScopes(pick(random, consumerKeys), scopes()) }},
		{3, func() edit {
			return setReference(pick(random, []string{"web", "api", "proxy"}), random.Intn(2) == 0, pick(random, []string{"", "a", "b", "none"}))
		}},
		{2, func() edit { return setInline(random.Intn(4) > 0, scopes()) }},
		{1, func() edit { return setType(pick(random, configKeys)) }},
		{2, func() edit { return toggle(pick(random, allKeys)) }},
	}
}

func anEdit(random *rand.Rand) edit {
	return oneOf(random, append(edits(random), weighted{1, func() edit {
		return replaceChild(pick(random, consumerKeys), random.Intn(2) == 0, random.Intn(2) == 0)
	}}))
}

func oneOf(random *rand.Rand, from []weighted) edit {
	total := 0
	for _, w := range from {
		total += w.weight
	}
	n := random.Intn(total)
	for _, w := range from {
		if n -= w.weight; n < 0 {
			return w.edit()
		}
	}
	panic("the weights do not add up")
}

func setBaseline(key string, baseline, supported []string) edit {
	return edit{fmt.Sprintf("baseline of %s: %v, scopesSupported: %v", key, baseline, supported), func(ctx context.Context, w *world) error {
		return change(ctx, w, key, func(c *v1beta1.MCPExternalAuthConfig) {
			if server := c.Spec.EmbeddedAuthServer; server != nil {
				server.BaselineClientScopes, server.ScopesSupported = baseline, supported
			}
		})
	}}
}

func setScopes(key string, scopes []string) edit {
	return edit{fmt.Sprintf("scopes of %s: %v", key, scopes), func(ctx context.Context, w *world) error {
		if key == "virtual" {
			return change(ctx, w, key, func(v *v1beta1.VirtualMCPServer) { v.Spec.IncomingAuth.OIDCConfigRef.Scopes = scopes })
		}
		return references(ctx, w, key, func(refs *v1alpha1.AuthReferences) { refs.OIDCConfigRef.Scopes = scopes })
	}}
}

func setReference(key string, authServer bool, name string) edit {
	field := map[bool]string{true: "authServerRef", false: "externalAuthConfigRef"}[authServer]
	return edit{fmt.Sprintf("%s of %s: %q", field, key, name), func(ctx context.Context, w *world) error {
		return references(ctx, w, key, func(refs *v1alpha1.AuthReferences) {
			switch {
			case authServer && name == "":
				refs.AuthServerRef = nil
			case authServer:
				refs.AuthServerRef = &v1alpha1.AuthServerRef{Kind: "MCPExternalAuthConfig", Name: name}
			case name == "":
				refs.ExternalAuthConfigRef = nil
			default:
				refs.ExternalAuthConfigRef = &v1alpha1.ExternalAuthConfigRef{Name: name}
			}
		})
	}}
}

// setPort changes both children.
func setPort(key string, port int32) edit {
	return edit{fmt.Sprintf("proxyPort of %s: %d", key, port), func(ctx context.Context, w *world) error {
		return change(ctx, w, key, func(s *v1beta1.MCPServer) { s.Spec.ProxyPort = port })
	}}
}

func setInline(set bool, baseline []string) edit {
	return edit{fmt.Sprintf("inline config of virtual: %t %v", set, baseline), func(ctx context.Context, w *world) error {
		return change(ctx, w, "virtual", func(v *v1beta1.VirtualMCPServer) {
			v.Spec.AuthServerConfig = nil
			if set {
				v.Spec.AuthServerConfig = sample.AuthServer(baseline...)
			}
		})
	}}
}

func setType(key string) edit {
	return edit{"another type of " + key, func(ctx context.Context, w *world) error {
		return change(ctx, w, key, func(c *v1beta1.MCPExternalAuthConfig) {
			other := sample.OutgoingConfig(w.namespace, key)
			if c.Spec.EmbeddedAuthServer == nil {
				other = sample.Config(w.namespace, key, "openid")
			}
			c.Spec = other.Spec
		})
	}}
}

// toggle deletes an object, or creates it again.
func toggle(key string) edit {
	return edit{"delete or create " + key, func(ctx context.Context, w *world) error {
		if _, ok := w.objects[key]; ok {
			return w.remove(ctx, key)
		}
		return w.create(ctx, key)
	}}
}

// recreate deletes an object, and creates it again at once.
func recreate(key string) edit {
	return edit{"delete and create " + key, func(ctx context.Context, w *world) error {
		if _, ok := w.objects[key]; ok {
			if err := w.remove(ctx, key); err != nil {
				return err
			}
		}
		return w.create(ctx, key)
	}}
}

// replaceChild deletes the Deployment or the Service with the name of a
// consumer's child. If foreign is true, it puts somebody else's object in its
// place.
func replaceChild(key string, deployment, foreign bool) edit {
	kind := map[bool]string{true: "Deployment", false: "Service"}[deployment]
	return edit{fmt.Sprintf("the %s of %s is deleted; somebody else's comes: %t", kind, key, foreign), func(ctx context.Context, w *world) error {
		name := childOf(w.namespace, key)
		child := foreignChild(w.namespace, name, deployment)
		for range 20 {
			old := child.DeepCopyObject().(client.Object)
			err := w.Client.Get(ctx, client.ObjectKeyFromObject(old), old)
			if err == nil {
				err = w.Client.Delete(ctx, old, client.Preconditions{UID: ptr.To(old.GetUID())})
			}
			if client.IgnoreNotFound(err) != nil {
				return err
			}
			w.deleted[old.GetUID()] = true
			w.model.set(kind, name, absent)
			if !foreign {
				return nil
			}
			theirs := child.DeepCopyObject().(client.Object)
			err = w.Client.Create(ctx, theirs)
			if err == nil {
				w.model.set(kind, name, foreignPrefix+string(theirs.GetUID()))
				return nil
			}
			if !apierrors.IsAlreadyExists(err) {
				return err
			}
			// The manager was quicker.
		}
		// The object was deleted, and the manager has created another.
		return nil
	}}
}

// nudge edits a field that no verdict reads. The one of a config is in the run
// config.
func nudge(key string) edit {
	return edit{"nudge " + key, func(ctx context.Context, w *world) error {
		switch key {
		case "oidc":
			return nil
		case "proxy":
			return change(ctx, w, key, func(p *v1beta1.MCPRemoteProxy) { p.Spec.RemoteURL += "/nudged" })
		case "virtual":
			return change(ctx, w, key, func(v *v1beta1.VirtualMCPServer) { v.Spec.GroupRef.Raw = []byte(`{"name":"nudged"}`) })
		case "web", "api":
			return change(ctx, w, key, func(s *v1beta1.MCPServer) { s.Spec.Image += "-nudged" })
		default:
			return change(ctx, w, key, func(c *v1beta1.MCPExternalAuthConfig) {
				if server := c.Spec.EmbeddedAuthServer; server != nil {
					server.Issuer += "/nudged"
				}
			})
		}
	}}
}

// childOf returns the name of the children of a consumer, which may not exist.
func childOf(namespace, key string) string {
	consumer, _ := resolve.ConsumerOf(seeds(namespace)[key])
	return rollout.ChildName(consumer)
}

func foreignChild(namespace, name string, deployment bool) client.Object {
	labels := map[string]string{"app": "theirs"}
	if !deployment {
		// The port has a name, so that a wrong write could add another one.
		ports := []corev1.ServicePort{{Name: "theirs", Port: 80}}
		return &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, Spec: corev1.ServiceSpec{Selector: labels, Ports: ports}}
	}
	return sample.Deployment(namespace, name, labels)
}

func describe(edits []edit) string {
	texts := make([]string, len(edits))
	for i := range edits {
		texts[i] = edits[i].what
	}
	return strings.Join(texts, "; ")
}
