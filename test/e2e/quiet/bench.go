package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/scopegate/scopegate/internal/guard"
)

const namespace = "mcp-demo"

// workload is one of test/e2e/testdata/toolhive.
type workload struct{ kind, resource, controller, name, config, key string }

var workloads = []workload{
	{"MCPServer", "mcpservers", "mcpserver", "weather", "weather-runconfig", "runconfig.json"},
	{"MCPRemoteProxy", "mcpremoteproxies", "mcpremoteproxy", "tickets", "tickets-runconfig", "runconfig.json"},
	{"VirtualMCPServer", "virtualmcpservers", "virtualmcpserver", "office", "office-vmcp-config", "authserver-config.yaml"},
}

// edit is one of the two configs that the workloads have.
type edit struct {
	name string
	// provider is the name of the upstream provider, which is part of the names of
	// variables in the environment.
	provider string
	baseline []any
}

// atRest is no edit: what is written anyway.
const atRest = "none"

var edits = []edit{
	{name: atRest},
	{"baseline", "company", []any{"openid", "admin"}},
	{"baseline and provider", "renamed", []any{"openid", "admin"}},
}

var good = edit{"", "company", []any{"openid"}}

type bench struct {
	client.WithWatch
	clientset *kubernetes.Clientset
	// edited tells one edit from the next, as the id of a client.
	edited int
	// rest are the stored writes in a minute at rest, by kind.
	rest map[string]float64
}

func (b *bench) next() string {
	b.edited++
	return fmt.Sprintf("client-%d", b.edited)
}

// prepare installs the workloads and the lock, and waits until all are there.
func prepare(ctx context.Context, cfg *rest.Config) (*bench, error) {
	cfg = rest.CopyConfig(cfg)
	cfg.QPS, cfg.WarningHandler = -1, rest.NoWarnings{}
	c, err := client.NewWithWatch(cfg, client.Options{})
	if err != nil {
		return nil, err
	}
	clientset, err := kubernetes.NewForConfig(cfg)
	if err != nil {
		return nil, err
	}
	b := &bench{WithWatch: c, clientset: clientset, rest: map[string]float64{}}
	if err := b.create(ctx); err != nil {
		return nil, err
	}
	return b, b.repair(ctx)
}

func (b *bench) create(ctx context.Context) error {
	objects := []client.Object{
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: guard.ParametersNamespace}},
		&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: guard.ParametersName, Namespace: guard.ParametersNamespace}, Data: map[string]string{guard.ParameterMode: guard.ModeDeny}},
	}
	objects = append(objects, guard.Lock()...)
	files, err := filepath.Glob("test/e2e/testdata/toolhive/*.yaml")
	if err != nil || len(files) == 0 {
		return errors.Join(errors.New("no workloads: run from the root of the repository"), err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file) //nolint:gosec // A file of the repository.
		if err != nil {
			return err
		}
		for _, document := range splitDocuments(text) {
			object := &unstructured.Unstructured{}
			if err := yaml.Unmarshal(document, &object.Object); err != nil {
				return fmt.Errorf("%s: %w", file, err)
			}
			objects = append(objects, object)
		}
	}
	for _, object := range objects {
		if err := b.Create(ctx, object); err != nil && !apierrors.IsAlreadyExists(err) {
			return err
		}
	}
	return b.Patch(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}, client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"labels":{"`+guard.ModeLabel+`":"deny"}}}`)))
}

// apply edits the two configs at once.
func (b *bench) apply(ctx context.Context, e edit, clientID string) error {
	for kind, path := range map[string][]string{"MCPExternalAuthConfig": {"spec", "embeddedAuthServer"}, "VirtualMCPServer": {"spec", "authServerConfig"}} {
		object := toolhiveObject(kind, map[string]string{"MCPExternalAuthConfig": "auth", "VirtualMCPServer": "office"}[kind])
		if err := b.Get(ctx, client.ObjectKeyFromObject(object), object); err != nil {
			return err
		}
		before := object.DeepCopy()
		config, _, err := unstructured.NestedMap(object.Object, path...)
		if err != nil {
			return err
		}
		config["baselineClientScopes"] = e.baseline
		provider := config["upstreamProviders"].([]any)[0].(map[string]any)
		provider["name"] = e.provider
		provider["oauth2Config"].(map[string]any)["clientId"] = clientID
		if err := unstructured.SetNestedMap(object.Object, config, path...); err != nil {
			return err
		}
		if err := b.Patch(ctx, object, client.MergeFrom(before)); err != nil {
			return err
		}
	}
	return nil
}

func toolhiveObject(kind, name string) *unstructured.Unstructured {
	object := &unstructured.Unstructured{}
	object.SetAPIVersion("toolhive.stacklok.dev/v1beta1")
	object.SetKind(kind)
	object.SetNamespace(namespace)
	object.SetName(name)
	return object
}

// repair makes the configs good, and waits until every workload runs from it.
func (b *bench) repair(ctx context.Context) error {
	clientID := b.next()
	if err := b.apply(ctx, good, clientID); err != nil {
		return err
	}
	return poll(ctx, "all workloads to run from the good config", 3*time.Minute, func() (bool, error) {
		for _, w := range workloads {
			s, err := b.look(ctx, w)
			if err != nil || s.held || !s.rolledOut || !strings.Contains(s.data, clientID) {
				return false, client.IgnoreNotFound(err)
			}
		}
		return true, nil
	})
}

func poll(ctx context.Context, what string, timeout time.Duration, ok func() (bool, error)) error {
	err := wait.PollUntilContextTimeout(ctx, 100*time.Millisecond, timeout, true, func(context.Context) (bool, error) { return ok() })
	if err != nil {
		return fmt.Errorf("waiting for %s: %w", what, err)
	}
	return nil
}

// sight is what is seen of a workload.
type sight struct {
	held, rolledOut bool
	because         string
	data            string
	template        corev1.PodTemplateSpec
	generation      int64
	pods            map[string]bool
	// version is of the object itself.
	version string
}

func (b *bench) look(ctx context.Context, w workload) (sight, error) {
	object, config, deployment := toolhiveObject(w.kind, w.name), &corev1.ConfigMap{}, &appsv1.Deployment{}
	if err := b.Get(ctx, client.ObjectKeyFromObject(object), object); err != nil {
		return sight{}, err
	}
	if err := b.Get(ctx, client.ObjectKey{Namespace: namespace, Name: w.config}, config); err != nil {
		return sight{}, err
	}
	if err := b.Get(ctx, client.ObjectKey{Namespace: namespace, Name: w.name}, deployment); err != nil {
		return sight{}, err
	}
	pods := &corev1.PodList{}
	if err := b.List(ctx, pods, client.InNamespace(namespace), client.MatchingLabels(deployment.Spec.Selector.MatchLabels)); err != nil {
		return sight{}, err
	}
	s := sight{
		held: config.Labels[guard.HeldLabel] == "true", because: config.Annotations[guard.HeldBecause], data: config.Data[w.key],
		template: deployment.Spec.Template, generation: deployment.Generation, pods: map[string]bool{}, version: object.GetResourceVersion(),
	}
	ready := true
	for _, pod := range pods.Items {
		s.pods[string(pod.UID)] = podReady(pod)
		ready = ready && podReady(pod) && pod.DeletionTimestamp == nil
	}
	s.rolledOut = ready && len(pods.Items) == 1 && deployment.Status.ObservedGeneration == deployment.Generation && deployment.Status.UpdatedReplicas == 1 &&
		deployment.Status.AvailableReplicas == 1 && deployment.Status.Replicas == 1 &&
		deployment.Spec.Template.Annotations["toolhive.stacklok.dev/runconfig-checksum"] == config.Annotations["toolhive.stacklok.dev/content-checksum"]
	return s, nil
}

func podReady(pod corev1.Pod) bool {
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodReady {
			return condition.Status == corev1.ConditionTrue
		}
	}
	return false
}
