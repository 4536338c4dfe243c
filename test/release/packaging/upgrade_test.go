package packaging_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/internal/kinds"
	"github.com/scopegate/scopegate/internal/testing/controlplane"
	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/internal/testing/testenv"
	"github.com/scopegate/scopegate/test/release/packaging/setup"
)

// previousVariable names a folder with the manager and the folder dist of another
// release. The tests upgrade from it and roll back to it. Without it, they upgrade
// from this code to this code. `make prove SUITE=upgrade` sets it.
const previousVariable = "SCOPEGATE_PREVIOUS"

// release is what users have of a release.
type release struct{ manager, dist string }

var buildManager = sync.OnceValues(func() (string, error) {
	path := filepath.Join(dist, "manager")
	return path, setup.BuildManager(context.Background(), path)
})

func releases(t *testing.T) (previous, current release) {
	t.Helper()
	manager, err := buildManager()
	expect.NoError(t, err)
	current = release{manager, dist}
	if folder := os.Getenv(previousVariable); folder != "" {
		return release{filepath.Join(folder, "manager"), filepath.Join(folder, "dist")}, current
	}
	return current, current
}

// lifetime is a manager from its start to its end.
type lifetime struct {
	*testenv.Process
	cluster *testenv.Cluster
	metrics string
}

// run runs the manager of a release as the pod of a Deployment of the cluster would.
func run(t *testing.T, cluster *testenv.Cluster, r release, deployment string) lifetime {
	t.Helper()
	stored := &appsv1.Deployment{}
	expect.NoError(t, cluster.Client.Get(t.Context(), client.ObjectKey{Namespace: controlplane.Namespace, Name: deployment}, stored))
	l := lifetime{cluster: cluster, metrics: testenv.FreeAddress(t)}
	l.Process = runPod(t, cluster, r, stored.Spec.Template.Spec, "--leader-election-namespace="+controlplane.Namespace,
		"--metrics-secure=false", "--metrics-bind-address="+l.metrics, "--health-probe-bind-address=0")
	return l
}

// runPod runs the manager with the arguments, the variables and the service account of
// a pod. More arguments replace those of the pod.
func runPod(t *testing.T, cluster *testenv.Cluster, r release, pod corev1.PodSpec, more ...string) *testenv.Process {
	t.Helper()
	command, container := exec.Command(r.manager), pod.Containers[0] //nolint:gosec // Our own program.
	command.Env = append(os.Environ(), "POD_NAMESPACE="+controlplane.Namespace)
	command.Args = append(command.Args, arguments(container, controlplane.Namespace)...)
	command.Args = append(command.Args, "--kubeconfig="+cluster.KubeconfigOf(t, controlplane.Namespace, pod.ServiceAccountName))
	command.Args = append(command.Args, more...)
	return testenv.StartCommand(t, command)
}

// reference is a $(NAME), or a $$, which stands for $.
var reference = regexp.MustCompile(`\$\$|\$\([^)]*\)`)

// arguments are those of a container in a namespace, as its program gets them.
func arguments(container corev1.Container, namespace string) []string {
	variables := map[string]string{}
	expand := func(text string) string {
		return reference.ReplaceAllStringFunc(text, func(found string) string {
			if found == "$$" {
				return "$"
			}
			if value, known := variables[strings.Trim(found, "$()")]; known {
				return value
			}
			return found
		})
	}
	for _, variable := range container.Env {
		if from := variable.ValueFrom; from != nil && from.FieldRef != nil && from.FieldRef.FieldPath == "metadata.namespace" {
			variables[variable.Name] = namespace
		} else {
			variables[variable.Name] = expand(variable.Value)
		}
	}
	var expanded []string
	for _, argument := range container.Args {
		expanded = append(expanded, expand(argument))
	}
	return expanded
}

// samples are the metrics that show how far a controller is.
var samples = regexp.MustCompile(`(?m)^(controller_runtime_reconcile_total|controller_runtime_active_workers|workqueue_depth)\{controller="([a-z]+)".* (\S+)$`)

// settle waits until a manager that has just started has reconciled every object.
func (l lifetime) settle(t *testing.T) {
	t.Helper()
	waiting := map[string]float64{}
	for kind, objects := range all(t, l.cluster, "") {
		waiting[strings.ToLower(kind)] = float64(len(objects))
	}
	expect.Eventually(t, "every object is reconciled", func(ctx context.Context) (bool, error) {
		_, text, err := testenv.Fetch(ctx, "http://"+l.metrics+"/metrics", "")
		if err != nil {
			return false, nil // It does not listen yet.
		}
		done, pending := map[string]float64{}, 0.0
		for _, sample := range samples.FindAllStringSubmatch(text, -1) {
			value, err := strconv.ParseFloat(sample[3], 64)
			if err != nil {
				return false, err
			}
			if sample[1] == "controller_runtime_reconcile_total" {
				done[sample[2]] += value
			} else {
				pending += value
			}
		}
		for controller, count := range waiting {
			if done[controller] < count {
				return false, nil
			}
		}
		return pending == 0, nil
	}, l.Logs)
}

// all returns the objects with the condition in a namespace, or in every one, by kind.
func all(t *testing.T, cluster *testenv.Cluster, namespace string) map[string][]kinds.Object {
	t.Helper()
	objects := map[string][]kinds.Object{}
	for _, kind := range kinds.All {
		objects[kind.Name] = itemsOf[kinds.Object](t, cluster, kind.EmptyList(), namespace)
	}
	return objects
}

func itemsOf[T any](t *testing.T, cluster *testenv.Cluster, list client.ObjectList, namespace string) (items []T) {
	t.Helper()
	expect.NoError(t, cluster.Client.List(t.Context(), list, client.InNamespace(namespace)))
	expect.NoError(t, meta.EachListItem(list, func(object runtime.Object) error {
		items = append(items, object.(T))
		return nil
	}))
	return items
}

// state is what an upgrade must not change of some namespaces.
type state struct {
	// rollouts are the Deployments with their revision, and the Services.
	rollouts map[string]string
	// conditions are those of every object, without their messages. A condition that
	// was lost and comes back has a later time.
	conditions map[string]string
}

func stateIn(t *testing.T, cluster *testenv.Cluster, namespaces ...string) state {
	t.Helper()
	s := state{map[string]string{}, map[string]string{}}
	for _, namespace := range namespaces {
		for kind, objects := range all(t, cluster, namespace) {
			for _, object := range objects {
				for _, c := range object.GetStatus().Conditions {
					key := fmt.Sprintf("%s %s/%s %s", kind, namespace, object.GetName(), c.Type)
					s.conditions[key] = fmt.Sprintf("%s %s since %s", c.Status, c.Reason, c.LastTransitionTime.UTC())
				}
			}
		}
		for _, d := range itemsOf[*appsv1.Deployment](t, cluster, &appsv1.DeploymentList{}, namespace) {
			s.rollouts["Deployment "+namespace+"/"+d.Name] = fmt.Sprintf("%s, generation %d: %s", d.UID, d.Generation, text(t, d.Spec.Template))
		}
		for _, service := range itemsOf[*corev1.Service](t, cluster, &corev1.ServiceList{}, namespace) {
			s.rollouts["Service "+namespace+"/"+service.Name] = fmt.Sprintf("%s: %s", service.UID, text(t, service.Spec))
		}
	}
	return s
}

// expectSame reports what has changed since.
func (s state) expectSame(t *testing.T, what string, now state) {
	t.Helper()
	expect.Equal(t, what+": spurious rollouts", s.rollouts, now.rollouts)
	expect.Equal(t, what+": lost conditions", s.conditions, now.conditions)
}

func text(t *testing.T, value any) string {
	t.Helper()
	encoded, err := json.Marshal(value)
	expect.NoError(t, err)
	return string(encoded)
}

// left returns the stored objects that name scopegate or its condition in any place.
// It passes over events, which Kubernetes drops after an hour.
func left(t *testing.T, cluster *testenv.Cluster) (names []string, err error) {
	t.Helper()
	listable, err := setup.Kubectl(t.Context(), cluster.ControlPlane, "api-resources", "--verbs=list", "-o", "name")
	if err != nil {
		return nil, err
	}
	var resources []string
	for _, resource := range strings.Fields(listable) {
		if resource != "events" && resource != "events.events.k8s.io" && resource != "componentstatuses" {
			resources = append(resources, resource)
		}
	}
	stored, err := setup.Kubectl(t.Context(), cluster.ControlPlane, "get", strings.Join(resources, ","), "--all-namespaces", "--show-managed-fields", "-o", "json")
	if err != nil {
		return nil, err
	}
	list := &unstructured.UnstructuredList{}
	if err := list.UnmarshalJSON([]byte(stored)); err != nil {
		return nil, err
	}
	for i := range list.Items {
		if content := text(t, list.Items[i].Object); strings.Contains(content, "scopegate") || strings.Contains(content, "BaselineScopesValid") {
			names = append(names, name(&list.Items[i]))
		}
	}
	return names, nil
}
