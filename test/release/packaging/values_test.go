package packaging_test

import (
	"flag"
	"io"
	"maps"
	"math/rand/v2"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/version"
	"k8s.io/apiserver/pkg/cel/environment"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/scopegate/scopegate/internal/guard"
	"github.com/scopegate/scopegate/internal/operator"
	"github.com/scopegate/scopegate/internal/scopes"
	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/internal/toolhive"
)

// TestValues renders the chart with random values that its schema allows. What reaches
// the policies, the manager, the plugin and the other fields must be what was asked for.
func TestValues(t *testing.T) {
	t.Parallel()
	eachRelease(t, 100, func(t *testing.T, want values, release rendered) {
		objects := release.objects(t)
		checkPolicies(t, want, objects)
		checkManager(t, want, release.Namespace, objects)
		checkNotes(t, want, release)
	})
}

// TestValuesApply applies some of these releases by dry run. The manager expects the
// policies of TestValues, so only an API server can tell that it takes them.
func TestValuesApply(t *testing.T) {
	t.Parallel()
	cluster := takeCluster(t)
	inUse := append([]string{guard.CanaryNamespace}, names...)
	for _, namespace := range inUse {
		cluster.Create(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}})
	}
	strict := client.WithFieldValidation(cluster.Client, metav1.FieldValidationStrict)
	eachRelease(t, 16, func(t *testing.T, _ values, release rendered) {
		for _, object := range release.objects(t) {
			configuration := client.ApplyConfigurationFromUnstructured(object)
			if err := strict.Apply(t.Context(), configuration, client.DryRunAll, client.FieldOwner("helm")); err != nil {
				t.Errorf("%s: %v", name(object), err)
			}
		}
	})
	kubectl(t, cluster, append([]string{"delete", "namespace"}, inUse...)...)
}

// eachRelease checks random releases, the same ones in each test. The first has the longest
// list of scopes. It ends at the first that fails.
func eachRelease(t *testing.T, count uint64, check func(*testing.T, values, rendered)) {
	t.Helper()
	for seed := range count {
		random := chance{rand.New(rand.NewPCG(seed, seed))} //nolint:gosec // Repeatable.
		want := random.values()
		if seed == 0 {
			want.Guard.DefaultScopes = random.longestScopes()
		}
		text, err := yaml.Marshal(want)
		expect.NoError(t, err)
		if !t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			check(t, want, render(t, "charts/scopegate", pick(random, names), string(text)))
		}) {
			t.Fatalf("with these values:\n%s", text)
		}
	}
}

// TestChartRefusesValues checks that the chart reports a wrong value before it installs
// anything.
func TestChartRefusesValues(t *testing.T) {
	for title, tc := range map[string]struct{ values, want string }{
		"standalone mode":              {"mode: standalone", "additional properties 'mode' not allowed"},
		"unknown mode":                 {"guard: {mode: deny}", "'/guard/mode': value must be one of 'warn', 'enforce', 'strict'"},
		"misspelt value":               {"guards: {mode: warn}", "additional properties 'guards' not allowed"},
		"misspelt value of the guard":  {"guard: {startup: true}", "'/guard': additional properties 'startup' not allowed"},
		"misspelt value of the image":  {"image: {repo: a}", "'/image': additional properties 'repo' not allowed"},
		"two scopes in one":            {"guard: {defaultScopes: [open id]}", "'/guard/defaultScopes/0': 'open id' does not match pattern"},
		"quotation mark":               {`guard: {defaultScopes: ['a"b']}`, "'/guard/defaultScopes/0'"},
		"digest without its algorithm": {"image: {digest: '" + strings.Repeat("a", 64) + "'}", "'/image/digest'"},
		"backslash":                    {`guard: {defaultScopes: ['a\b']}`, "'/guard/defaultScopes/0'"},
		"number for a scope":           {"guard: {defaultScopes: [1234]}", "'/guard/defaultScopes/0': got number, want string"},
		"no scope":                     {"guard: {defaultScopes: []}", "'/guard/defaultScopes': minItems"},
		"null for scopes":              {"guard: {defaultScopes: null}", "'/guard': missing property 'defaultScopes'"},
		"null for the mode":            {"guard: {mode: null}", "'/guard': missing property 'mode'"},
		"null for the guard":           {"guard: null", "missing property 'guard'"},
		"null for replicas":            {"replicas: null", "missing property 'replicas'"},
		"no such namespace":            {"watchNamespaces: [Team_A]", "'/watchNamespaces/0'"},
		"no port of the API server":    {"networkPolicy: {apiServerPorts: []}", "'/networkPolicy/apiServerPorts': minItems"},
		"slash after registry":         {"image: {registry: registry.example.com/}", "'/image/registry'"},
		"text for a number":            {"replicas: two", "'/replicas': got string, want integer"},
		"not a flag":                   {"args: [debug]", "'/args/0'"},
		"a flag that the chart sets":   {"args: [--default-scopes=openid]", "'/args/0': '--default-scopes=openid' does not match pattern '^--(concurrency|pprof-bind-address|zap-[a-z-]+)"},
		"a flag of standalone mode":    {"args: [--standalone]", "'/args/0'"},
		"a variable in a flag's value": {"args: [--zap-encoder=$(MODE)]", "'/args/0'"},
	} {
		t.Run(title, func(t *testing.T) {
			release := render(t, "charts/scopegate", "scopegate-system", tc.values)
			expect.Contains(t, release.Error, "values don't meet the specifications of the schema", tc.want)
		})
	}
}

// checkPolicies compares the policies with those that the manager expects, and evaluates
// the scopes in them.
func checkPolicies(t *testing.T, want values, objects []*unstructured.Unstructured) {
	t.Helper()
	got := decidedIn(t, objects)
	expected := wanted(t, want.Guard.Mode, want.Guard.DefaultScopes, want.Guard.StartUp)
	expect.Equal(t, "policies", expected.Policies, got.Policies)
	expect.Equal(t, "bindings", expected.Bindings, got.Bindings)
	evaluated := 0
	for name, policy := range got.Policies {
		for _, variable := range policy.Variables {
			if variable.Name == "defaults" {
				evaluated++
				expect.Equal(t, name+" evaluates", want.Guard.DefaultScopes, evaluate(t, variable.Expression))
			}
		}
	}
	expect.Equal(t, "policies with the default scopes", 4, evaluated)
}

// expressions is the environment of the oldest API server that the guard runs with.
var expressions = environment.MustBaseEnvSet(version.MajorMinor(1, 30)).NewExpressionsEnv()

func evaluate(t *testing.T, expression string) []string {
	t.Helper()
	ast, issues := expressions.Compile(expression)
	expect.NoError(t, issues.Err())
	program, err := expressions.Program(ast)
	expect.NoError(t, err)
	result, _, err := program.Eval(map[string]any{})
	expect.NoError(t, err)
	return result.Value().([]string)
}

// checkManager compares the options that the manager starts with, by its own code, and
// its Deployment.
func checkManager(t *testing.T, want values, namespace string, objects []*unstructured.Unstructured) {
	t.Helper()
	var container corev1.Container
	var ports []int32
	found := map[string]int{}
	for _, object := range objects {
		switch object.GetKind() {
		case "Deployment":
			got := as[appsv1.Deployment](t, object)
			container = got.Spec.Template.Spec.Containers[0]
			if expected := want.in(t, got.DeepCopy()); !equality.Semantic.DeepEqual(expected, got) {
				t.Errorf("the Deployment: %s", cmp.Diff(expected, got))
			}
		case "NetworkPolicy":
			for _, port := range as[networkingv1.NetworkPolicy](t, object).Spec.Egress[0].Ports {
				ports = append(ports, port.Port.IntVal)
			}
		}
		found[object.GetKind()]++
		if in := object.GetNamespace(); in != "" && in != namespace && in != guard.CanaryNamespace && in != metav1.NamespaceDefault && !slices.Contains(want.WatchNamespaces, in) {
			t.Errorf("%s is in another namespace than %q", name(object), namespace)
		}
		walk(object.Object, func(text string) {
			if strings.Contains(text, "scopegate-system") {
				t.Errorf("%s names scopegate-system: %q", name(object), text)
			}
		})
	}
	expect.Equal(t, "Deployments", 1, found["Deployment"])
	expect.Equal(t, "a PodDisruptionBudget", want.PodDisruptionBudget.Enabled, found["PodDisruptionBudget"] == 1)
	expect.Equal(t, "a NetworkPolicy", want.NetworkPolicy.Enabled, found["NetworkPolicy"] == 1)
	if want.NetworkPolicy.Enabled {
		expect.Equal(t, "ports", want.NetworkPolicy.APIServerPorts, ports)
	}

	var flags operator.Flags
	set := flag.NewFlagSet("manager", flag.ContinueOnError)
	set.SetOutput(io.Discard)
	flags.Bind(set)
	expect.NoError(t, set.Parse(arguments(container, namespace)))
	expected := operator.Options{
		Mode: want.Guard.Mode, DefaultScopes: want.Guard.DefaultScopes, Namespaces: want.WatchNamespaces,
		MetricsBindAddress: ":8443", MetricsSecure: true, HealthProbeBindAddress: ":8081", LeaderElect: true, PprofBindAddress: "0",
		AuthServerImage: flags.AuthServerImage, Concurrency: operator.DefaultConcurrency,
	}
	if slices.Contains(want.Args, "--concurrency=7") {
		expected.Concurrency = 7
	}
	if slices.Contains(want.Args, "--pprof-bind-address=localhost:6060") {
		expected.PprofBindAddress = "localhost:6060"
	}
	expect.Equal(t, "options", expected, flags.Options, cmpopts.EquateEmpty())
}

// checkNotes checks that the notes say what is installed, and runs the command for the
// plugin in a shell.
func checkNotes(t *testing.T, want values, release rendered) {
	t.Helper()
	said := append([]string{"in mode " + want.Guard.Mode, "in namespace " + release.Namespace, "-n " + release.Namespace + " rollout status deployment scopegate-guard\n"}, want.WatchNamespaces...)
	if want.Guard.StartUp {
		said = append(said, "refusals at start")
	}
	expect.Contains(t, release.Notes, said...)
	_, command, found := strings.Cut(release.Notes, "  kubectl scopegate ")
	command, _, ended := strings.Cut(command, "\n")
	if !found || !ended {
		t.Fatalf("no command for the plugin in:\n%s", release.Notes)
	}
	output := expect.Output(t, exec.CommandContext(t.Context(), "sh", "-c", `plugin() { printf '%s\n' "$@"; }; plugin `+command)) //nolint:gosec // What is tested.
	list := scopes.List(toolhive.DefaultScopes)
	if lines := strings.Split(strings.TrimSuffix(output, "\n"), "\n"); len(lines) > 3 {
		expect.Equal(t, "command", []string{"guard", "check", "-A", "--default-scopes"}, lines[:4])
		expect.NoError(t, list.Set(strings.Join(lines[4:], "\n")))
	}
	expect.Equal(t, "scopes of the plugin", want.Guard.DefaultScopes, []string(list))
}

// in changes a Deployment to what these values mean.
func (v values) in(t *testing.T, d *appsv1.Deployment) *appsv1.Deployment {
	t.Helper()
	template := &d.Spec.Template
	spec, container := &template.Spec, &template.Spec.Containers[0]
	template.Labels, template.Annotations = map[string]string{}, map[string]string{}
	maps.Copy(template.Labels, v.PodLabels)
	maps.Copy(template.Annotations, v.PodAnnotations)
	template.Labels["app.kubernetes.io/name"], template.Labels["app.kubernetes.io/component"] = "scopegate", "guard"
	template.Annotations["kubectl.kubernetes.io/default-container"] = "manager"
	d.Spec.Replicas, spec.NodeSelector, spec.Tolerations, spec.Affinity = ptr.To(v.Replicas), v.NodeSelector, v.Tolerations, v.Affinity
	spec.PriorityClassName, spec.ImagePullSecrets = v.PriorityClassName, v.ImagePullSecrets
	container.ImagePullPolicy = corev1.PullPolicy(v.Image.PullPolicy)
	container.Image = v.Image.Repository + ":" + v.Image.Tag
	if v.Image.Tag == "" {
		container.Image += "latest"
	}
	if v.Image.Digest != "" {
		container.Image += "@" + v.Image.Digest
	}
	if v.Image.Registry != "" {
		container.Image = v.Image.Registry + "/" + container.Image
	}
	// The resources of values are merged with the default ones.
	resources, err := yaml.Marshal(v.Resources)
	expect.NoError(t, err)
	container.Resources = corev1.ResourceRequirements{}
	expect.NoError(t, yaml.Unmarshal(resources, &container.Resources))
	return d
}
