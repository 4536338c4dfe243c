// Package corpus reads the cases in test/testdata/<kind>/<rule>, lists the CEL
// rules of the CRDs, and determines by mutation which cases test which rule. The
// suite against the real API server, the linter's tests and the docs use it.
package corpus

import (
	"bytes"
	"cmp"
	"fmt"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/internal/testing/expect"
)

// causePrefix is the start of the comment line for each cause of a rejection.
const causePrefix = "# cause: "

// Case is a file of the corpus: an object with the API server's expected
// response.
type Case struct {
	// Path is the path of the file below the root of the corpus, for example
	// mcpserver/one-authz-config/reject-both.yaml.
	Path string
	// Rule is the ID of the rule that the case tests: the name of its folder.
	Rule string
	// Accept is true if the API server must accept the object.
	Accept bool
	// Causes are the causes of the rejection, sorted as by Sort.
	Causes []metav1.StatusCause
	// Object is the object in version v1beta1, without a namespace.
	Object *unstructured.Unstructured
}

// Load reads all cases below root, sorted by path.
func Load(root fs.FS) ([]Case, error) {
	files, err := fs.Glob(root, "*/*/*.yaml")
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("no cases: the root must hold <kind>/<rule>/{accept,reject}-*.yaml")
	}
	cases := make([]Case, len(files))
	for i, file := range files {
		text, err := fs.ReadFile(root, file)
		if err != nil {
			return nil, err
		}
		if cases[i], err = parse(file, text); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
	}
	return cases, nil
}

// Cases loads the cases of a folder for a test.
func Cases(t testing.TB, root string) []Case {
	t.Helper()
	cases, err := Load(os.DirFS(root))
	expect.NoError(t, err)
	return cases
}

func parse(file string, text []byte) (Case, error) {
	folder, name := path.Split(file)
	parsed := Case{Path: file, Rule: path.Base(folder), Accept: strings.HasPrefix(name, "accept-"), Object: &unstructured.Unstructured{}}
	if !parsed.Accept && !strings.HasPrefix(name, "reject-") {
		return Case{}, fmt.Errorf("the name must start with accept- or reject-")
	}
	if err := yaml.UnmarshalStrict(text, &parsed.Object.Object); err != nil {
		return Case{}, err
	}
	if kind := path.Dir(path.Dir(file)); kind != strings.ToLower(parsed.Object.GetKind()) {
		return Case{}, fmt.Errorf("a %s is in the folder of %s", parsed.Object.GetKind(), kind)
	}
	// So the cases can be applied side by side.
	if parsed.Object.GetName()+".yaml" != name || parsed.Object.GetNamespace() != "" || parsed.Object.GetAPIVersion() != v1beta1.GroupVersion.String() {
		return Case{}, fmt.Errorf("want a %s object of the file's name without a namespace", v1beta1.GroupVersion)
	}
	for line := range strings.Lines(string(text)) {
		cause, ok := strings.CutPrefix(strings.TrimRight(line, "\n"), causePrefix)
		if !ok {
			break
		}
		parts := strings.SplitN(cause, " ", 3)
		if len(parts) != 3 {
			return Case{}, fmt.Errorf("want %q, got %q", causePrefix+"<reason> <field path> <message>", line)
		}
		parsed.Causes = append(parsed.Causes, metav1.StatusCause{Type: metav1.CauseType(parts[0]), Field: parts[1], Message: parts[2]})
	}
	if parsed.Accept != (len(parsed.Causes) == 0) {
		return Case{}, fmt.Errorf("a reject case has cause lines, and an accept case has none")
	}
	Sort(parsed.Causes)
	return parsed, nil
}

// WithCauses replaces the cause lines at the top of a file's text.
func WithCauses(text []byte, causes []metav1.StatusCause) []byte {
	for bytes.HasPrefix(text, []byte(causePrefix)) {
		_, text, _ = bytes.Cut(text, []byte("\n"))
	}
	var head bytes.Buffer
	for _, cause := range causes {
		fmt.Fprintf(&head, "%s%s %s %s\n", causePrefix, cause.Type, cause.Field, cause.Message)
	}
	return append(head.Bytes(), text...)
}

// Sort sorts causes by field, type and message, because the API server's own
// order is random.
func Sort(causes []metav1.StatusCause) {
	slices.SortFunc(causes, func(a, b metav1.StatusCause) int {
		return cmp.Or(cmp.Compare(a.Field, b.Field), cmp.Compare(a.Type, b.Type), cmp.Compare(a.Message, b.Message))
	})
}

// Before Kubernetes 1.35 the message of a rule starts with the type of the
// rejected value. Since then it starts with the value if that is a string.
var (
	ofType   = regexp.MustCompile(`^Invalid value: "(array|boolean|integer|object)": `)
	ofString = regexp.MustCompile(`^Invalid value: "string": `)
	quoted   = regexp.MustCompile(`^Invalid value: "([^"\\]|\\.)*": `)
)

// SameCause compares causes, and treats the type string as equal to any string
// value.
var SameCause = gocmp.Comparer(func(a, b metav1.StatusCause) bool {
	if ofString.MatchString(a.Message) || ofString.MatchString(b.Message) {
		a.Message, b.Message = quoted.ReplaceAllString(a.Message, ""), quoted.ReplaceAllString(b.Message, "")
	}
	return a == b
})

// Causes returns the causes of a rejection, sorted as by Sort, in the form of the
// newest API server. It returns nil for no error, and for other errors a cause
// that no case expects.
func Causes(err error) []metav1.StatusCause {
	if err == nil {
		return nil
	}
	status, ok := err.(apierrors.APIStatus)
	if !ok || !apierrors.IsInvalid(err) || status.Status().Details == nil {
		return []metav1.StatusCause{{Type: "NotARejection", Message: err.Error()}}
	}
	causes := status.Status().Details.Causes
	for i := range causes {
		message := ofType.ReplaceAllString(causes[i].Message, "Invalid value: ")
		causes[i].Message = strings.Replace(message, `Invalid value: "null":`, "Invalid value: null:", 1)
	}
	Sort(causes)
	return causes
}
