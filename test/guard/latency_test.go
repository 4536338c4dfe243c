package guard_test

import (
	"flag"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/internal/guard"
	"github.com/scopegate/scopegate/internal/testing/testenv"
	"github.com/scopegate/scopegate/internal/toolhive"
	"github.com/scopegate/scopegate/test/guard/setup"
)

var long = flag.Bool("long", false, "measure the latency of edits, and wait for what takes long")

// measuredEdits is how many edits of each sort are timed, after warmUpEdits.
const (
	measuredEdits = 100
	warmUpEdits   = 5
)

// TestLatency prints how long the edit of a config takes that many MCPServers
// reference, in a namespace where the policies deny and in one where they are
// off. The edits alternate, so that whatever else the machine does falls on both.
func TestLatency(t *testing.T) {
	if !*long {
		t.Skip("only with -long")
	}
	fmt.Println("| consumers | off, median | p99 | deny, median | p99 | ratio of the medians |")
	fmt.Println("| --- | --- | --- | --- | --- | --- |")
	for _, consumers := range []int{1, 100, 1000} {
		configs := map[string]client.Object{}
		for _, mode := range []string{guard.ModeOff, guard.ModeDeny} {
			configs[mode] = storeConsumers(t, mode, consumers)
		}
		settle(t)
		printLatencies(fmt.Sprint(consumers), timeEdits(t, configs, func(object client.Object, i int) {
			baselines := [][]string{{"openid"}, {"openid", "email"}}
			object.(*v1beta1.MCPExternalAuthConfig).Spec.EmbeddedAuthServer.BaselineClientScopes = baselines[i%len(baselines)]
		}))
	}
}

// TestUpdateLatency prints how long the update of what ToolHive's operator writes
// takes, in a namespace where nothing is asked and in one that denies and holds.
func TestUpdateLatency(t *testing.T) {
	if !*long {
		t.Skip("only with -long")
	}
	if can, err := setup.CanHold(cluster.Client); err != nil || !can {
		t.Skipf("this API server has no MutatingAdmissionPolicy (%v)", err)
	}
	namespaces := map[string]string{guard.ModeOff: namespace(t, guard.ModeOff), guard.ModeDeny: holding(t)}
	fmt.Println("| update of | off, median | p99 | deny, median | p99 | ratio of the medians |")
	fmt.Println("| --- | --- | --- | --- | --- | --- |")
	labels := map[string]string{"app": "web"}
	for _, kind := range []struct {
		name string
		make func(namespace string) client.Object
	}{
		{"a ConfigMap with a run config of 5 KB", func(ns string) client.Object {
			return edited(setup.RunConfig(ns, "timed", "openid"), func(c *corev1.ConfigMap) {
				c.Data[toolhive.RunConfigKey] = strings.Replace(c.Data[toolhive.RunConfigKey], "{", "{\n  \"image\": \""+strings.Repeat("x", 5000)+"\",", 1)
			})
		}},
		{"another ConfigMap", func(ns string) client.Object {
			return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "other"}}
		}},
		{"a Deployment", func(ns string) client.Object {
			return &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "timed"}, Spec: appsv1.DeploymentSpec{
				Selector: &metav1.LabelSelector{MatchLabels: labels},
				Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "web", Image: "example.com/web"}}}},
			}}
		}},
		{"a Service", func(ns string) client.Object {
			return &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "timed"}, Spec: corev1.ServiceSpec{Selector: labels, Ports: []corev1.ServicePort{{Port: 8080}}}}
		}},
	} {
		objects := map[string]client.Object{}
		for mode, ns := range namespaces {
			objects[mode] = kind.make(ns)
			if err := cluster.Client.Create(t.Context(), objects[mode]); err != nil {
				t.Fatal(err)
			}
		}
		printLatencies(kind.name, timeEdits(t, objects, func(object client.Object, i int) {
			object.SetAnnotations(map[string]string{"round": fmt.Sprint(i)})
		}))
	}
}

// timeEdits makes the edits of the objects, one of each mode, in turn.
func timeEdits(t *testing.T, objects map[string]client.Object, edit func(object client.Object, i int)) map[string][]time.Duration {
	t.Helper()
	took := map[string][]time.Duration{}
	for i := range warmUpEdits + measuredEdits {
		for mode, object := range objects {
			edit(object, i)
			start := time.Now()
			if err := cluster.Client.Update(t.Context(), object); err != nil {
				t.Fatal(err)
			}
			if i >= warmUpEdits {
				took[mode] = append(took[mode], time.Since(start))
			}
		}
	}
	return took
}

func printLatencies(name string, took map[string][]time.Duration) {
	off, deny := took[guard.ModeOff], took[guard.ModeDeny]
	slices.Sort(off)
	slices.Sort(deny)
	fmt.Printf("| %s | %s | %s | %s | %s | %.2f |\n", name, percentile(off, 50), percentile(off, 99), percentile(deny, 50), percentile(deny, 99),
		float64(deny[len(deny)/2])/float64(off[len(off)/2]))
}

func percentile(sorted []time.Duration, percent int) time.Duration {
	return sorted[(len(sorted)-1)*percent/100].Round(100 * time.Microsecond)
}

// storeConsumers returns a config that as many MCPServers reference.
func storeConsumers(t *testing.T, mode string, consumers int) *v1beta1.MCPExternalAuthConfig {
	t.Helper()
	ns, err := setup.Namespace(t.Context(), cluster.Client, mode)
	if err != nil {
		t.Fatal(err)
	}
	names := testenv.Many("server", consumers)
	setup.InParallel(consumers, func(i int) {
		if err := cluster.Client.Create(t.Context(), testenv.Server(ns, names[i], testenv.AuthServerRef("shared", "openid", "email"))); err != nil {
			t.Error(err)
		}
	})
	config := testenv.Config(ns, "shared", "openid")
	if err := cluster.Client.Create(t.Context(), config); err != nil {
		t.Fatal(err)
	}
	return config
}
