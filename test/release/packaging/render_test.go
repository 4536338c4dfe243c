package packaging_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"

	"github.com/scopegate/scopegate/internal/operator"
	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/test/release/packaging/setup"
)

// rendered is a release that Helm renders: what it is asked, and what it answers.
type rendered struct {
	Chart, Namespace, Values string `json:",omitempty"`
	Manifest, Notes, Error   string `json:",omitempty"`
}

// renderer is Helm's library, in a process that ends with the tests.
type renderer struct {
	mu       sync.Mutex
	requests *json.Encoder
	answers  *json.Decoder
}

var startRenderer = sync.OnceValues(func() (*renderer, error) {
	path, err := setup.ToolPath("render")
	if err != nil {
		return nil, err
	}
	command := exec.Command(path) //nolint:gosec // Our own program.
	command.Dir = setup.Root
	stdin, err := command.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	return &renderer{requests: json.NewEncoder(stdin), answers: json.NewDecoder(stdout)}, command.Start()
})

// render renders a chart as a release in a namespace. values is the text of a file.
func render(t *testing.T, chart, namespace, values string) rendered {
	t.Helper()
	helm, err := startRenderer()
	expect.NoError(t, err)
	helm.mu.Lock()
	defer helm.mu.Unlock()
	release := rendered{Chart: chart, Namespace: namespace, Values: values}
	expect.NoError(t, errors.Join(helm.requests.Encode(release), helm.answers.Decode(&release)))
	return release
}

// chart returns the objects of the chart in the namespace that the manifests name.
func chart(t *testing.T, path, values string) []*unstructured.Unstructured {
	t.Helper()
	return render(t, path, "scopegate-system", values).objects(t)
}

// objects decodes the objects. A key that is there twice, an unknown field, and a value
// of another type fail the test, as some tools refuse them.
func (r rendered) objects(t *testing.T) []*unstructured.Unstructured {
	t.Helper()
	if r.Error != "" {
		t.Fatalf("rendering: %s\nwith:\n%s", r.Error, r.Values)
	}
	documents := utilyaml.NewYAMLReader(bufio.NewReader(strings.NewReader(r.Manifest)))
	for {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		expect.NoError(t, err)
		expect.NoError(t, yaml.UnmarshalStrict(document, &map[string]any{}))
	}
	objects := decode(t, []byte(r.Manifest), nil)
	for _, object := range objects {
		typed, err := operator.Scheme.New(object.GroupVersionKind())
		expect.NoError(t, err)
		if err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(object.Object, typed, true); err != nil {
			t.Errorf("%s: %v", name(object), err)
		}
	}
	return objects
}
