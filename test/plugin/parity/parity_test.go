package parity_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"

	"github.com/scopegate/scopegate/config"
	"github.com/scopegate/scopegate/internal/lint"
	"github.com/scopegate/scopegate/internal/testing/corpus"
	"github.com/scopegate/scopegate/internal/testing/expect"
)

// casesVariable sets how many manifests are compared.
const casesVariable = "SCOPEGATE_PARITY_CASES"

const defaultCases = 300

const workers = 4

// TestParity compares the verdicts of the linter and of the API server on
// mutated cases of the corpus. Half are creates. The others are updates, also of
// objects that were stored before any bound existed.
func TestParity(t *testing.T) {
	count := defaultCases
	if text := os.Getenv(casesVariable); text != "" {
		var err error
		if count, err = strconv.Atoi(text); err != nil {
			t.Fatalf("%s: %v", casesVariable, err)
		}
	}
	cases := corpus.Cases(t, "../../testdata")
	g := generator{Rand: rand.New(rand.NewPCG(1, 2)), schemas: schemas(t)} //nolint:gosec // Reproducible on purpose.
	namespace := cluster.Namespace(t)
	cfg := rest.CopyConfig(cluster.Config)
	cfg.WarningHandlerWithContext = rest.NoWarnings{}
	var err error
	clientset, err = kubernetes.NewForConfig(cfg)
	expect.NoError(t, err)
	stored := store(t, g, namespace, cases)
	crds, err := config.Objects("crd")
	expect.NoError(t, err)
	corpus.ReplaceCRDs(t, cluster.WithoutWarnings(t), namespace, crds, cases, true)

	var compared errgroup.Group
	compared.SetLimit(workers)
	outcomes := make([]string, count)
	for i := range count {
		m := g.manifest(i, cases, stored)
		compared.Go(func() error {
			outcomes[i] = compare(t, namespace, m)
			return nil
		})
	}
	expect.NoError(t, compared.Wait())
	counts := map[string]int{}
	for _, outcome := range outcomes {
		counts[outcome]++
	}
	t.Logf("%d manifests: %v", count, counts)
	for _, outcome := range []string{"create accepted", "create rejected", "create not strict", "update accepted", "update rejected", "update not strict"} {
		if counts[outcome] == 0 {
			t.Errorf("no manifest has the outcome %q: correct the generator", outcome)
		}
	}
}

func schemas(t *testing.T) map[string]*schema.Structural {
	t.Helper()
	all, err := corpus.Schemas()
	expect.NoError(t, err)
	byKind := map[string]*schema.Structural{}
	for _, s := range all {
		byKind[s.Kind] = s.Structural
	}
	return byKind
}

// store stores all cases of the corpus and mutants of them, as far as the weak
// CRDs accept them.
func store(t *testing.T, g generator, namespace string, cases []corpus.Case) map[string][]*unstructured.Unstructured {
	t.Helper()
	stored := map[string][]*unstructured.Unstructured{}
	for i := range 3 * len(cases) {
		m := manifest{object: cases[i%len(cases)].Object.DeepCopy(), version: "v1beta1"}
		if i >= len(cases) {
			g.mutate(&m)
		}
		m.object.SetAPIVersion("toolhive.stacklok.dev/v1beta1")
		m.object.SetNamespace(namespace)
		m.object.SetName(fmt.Sprintf("stored-%d", i))
		m.object.SetLabels(nil)
		written := m.object.DeepCopy()
		err := cluster.Client.Create(t.Context(), written)
		switch {
		case err == nil:
			stored[written.GetKind()] = append(stored[written.GetKind()], written)
		case !apierrors.IsInvalid(err) && !apierrors.IsBadRequest(err):
			t.Fatal(err)
		}
	}
	return stored
}

func (g generator) manifest(i int, cases []corpus.Case, stored map[string][]*unstructured.Unstructured) manifest {
	c := cases[g.IntN(len(cases))]
	for !c.Accept {
		c = cases[g.IntN(len(cases))]
	}
	m := manifest{object: c.Object.DeepCopy(), version: versions[g.IntN(len(versions))]}
	if i%2 == 1 {
		candidates := stored[c.Object.GetKind()]
		m.stored = candidates[g.IntN(len(candidates))]
		m.object = m.stored.DeepCopy()
		unstructured.RemoveNestedField(m.object.Object, "status")
		for _, name := range []string{"managedFields", "uid", "resourceVersion", "creationTimestamp", "generation"} {
			unstructured.RemoveNestedField(m.object.Object, "metadata", name)
		}
	}
	g.mutate(&m)
	return m
}

// compare reports a difference, and returns the kind of outcome.
func compare(t *testing.T, namespace string, m manifest) string {
	text, err := m.text()
	if err != nil {
		t.Error(err)
		return "error"
	}
	want, outcome, err := fromServer(t, namespace, m)
	if err != nil {
		t.Errorf("%v\n%v\n%s", err, m.mutations, text)
		return "error"
	}
	got, err := fromLinter(t, namespace, m, text)
	if err != nil {
		t.Error(err)
		return "error"
	}
	if diff := cmp.Diff(want, got); diff != "" {
		var before []byte
		if m.stored != nil {
			before, _ = yaml.Marshal(m.stored.Object["spec"])
		}
		t.Errorf("after %v (-API server +linter):\n%s\n%s\nstored:\n%s", m.mutations, diff, text, before)
	}
	return outcome
}

// verdict is the verdict of the linter or of the API server, in a form that can
// be compared.
type verdict struct {
	// Unknown and Duplicates are what strict field validation refuses.
	Unknown    []string
	Duplicates int
	// Malformed is true if the metadata can't be decoded.
	Malformed bool
	// Causes of the rejection, except for the above.
	Causes []string
}

var unknownField = regexp.MustCompile(`unknown field "([^"]*)"`)

func fromServer(t *testing.T, namespace string, m manifest) (verdict, string, error) {
	strict, err := send(t.Context(), namespace, m, "Strict")
	if err != nil {
		return verdict{}, "", err
	}
	lax, err := send(t.Context(), namespace, m, "Ignore")
	if err != nil {
		return verdict{}, "", err
	}
	var answer verdict
	if strict != nil && apierrors.IsBadRequest(strict) && strings.Contains(strict.ErrStatus.Message, "strict decoding error") {
		for _, match := range unknownField.FindAllStringSubmatch(strict.ErrStatus.Message, -1) {
			answer.Unknown = append(answer.Unknown, match[1])
		}
		answer.Unknown = sorted(answer.Unknown)
		answer.Duplicates = strings.Count(strict.ErrStatus.Message, "already set in map")
	}
	switch {
	case lax == nil:
	case apierrors.IsBadRequest(lax):
		answer.Malformed = true
	default:
		for _, cause := range lax.ErrStatus.Details.Causes {
			answer.Causes = append(answer.Causes, fmt.Sprintf("%s %s %s", cause.Type, cause.Field, cause.Message))
		}
		answer.Causes = sorted(answer.Causes)
	}
	operation := "create"
	if m.stored != nil {
		operation = "update"
	}
	switch {
	case answer.Malformed:
		return answer, operation + " malformed", nil
	case len(answer.Causes) > 0:
		return answer, operation + " rejected", nil
	case len(answer.Unknown) > 0 || answer.Duplicates > 0:
		return answer, operation + " not strict", nil
	default:
		return answer, operation + " accepted", nil
	}
}

func fromLinter(t *testing.T, namespace string, m manifest, text []byte) (verdict, error) {
	options := lint.Options{Namespace: namespace}
	if m.stored != nil {
		old, err := yaml.Marshal(m.stored.Object)
		if err != nil {
			return verdict{}, err
		}
		options.Old = []lint.Source{{Name: "old.yaml", Text: old}}
	}
	found, err := lint.Lint(t.Context(), []lint.Source{{Name: "new.yaml", Text: text}}, options)
	if err != nil {
		return verdict{}, err
	}
	var answer verdict
	for _, finding := range found.Findings {
		switch {
		case finding.Cause != "":
			answer.Causes = append(answer.Causes, causeOf(finding))
		case finding.Rule == "schema/unknown-field":
			answer.Unknown = append(answer.Unknown, finding.Field)
		case finding.Rule == "schema/duplicate-field":
			answer.Duplicates++
		case finding.Rule == "schema/metadata":
			answer.Malformed = true
		case strings.HasPrefix(finding.Rule, "parse/"):
			return verdict{}, fmt.Errorf("the linter can't read what a library wrote: %s", finding.Message)
		}
	}
	if answer.Malformed {
		// The API server stops there; the linter has more to say.
		return verdict{Malformed: true}, nil
	}
	answer.Causes, answer.Unknown = sorted(answer.Causes), sorted(answer.Unknown)
	return answer, nil
}

// causeOf writes a finding as the API server does, with <nil> for no field.
func causeOf(finding lint.Finding) string {
	path := finding.Field
	if path == "" {
		path = "<nil>"
	}
	return fmt.Sprintf("%s %s %s", finding.Cause, path, finding.Message)
}

// sorted sorts, and drops repetitions: on an update the API server checks the
// metadata three times.
func sorted(texts []string) []string {
	slices.Sort(texts)
	return slices.Compact(texts)
}
