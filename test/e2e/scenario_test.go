//go:build e2e

package e2e

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/scopegate/scopegate/internal/testing/controlplane"
)

// awaitTimeout bounds each wait: a pod that is Ready only after two minutes is a
// failure.
const awaitTimeout = 2 * time.Minute

// scenario is a test that shows what it does, as a user at a terminal would see
// it.
type scenario struct {
	*testing.T
	*cluster
	undo []func(context.Context)
	// diagnosed is true when a part of the scenario has shown the cluster already.
	diagnosed bool
}

func newScenario(t *testing.T) *scenario {
	t.Helper()
	if ctx.Err() != nil {
		t.Fatal("interrupted")
	}
	c, err := start()
	if err != nil {
		t.Fatal(err)
	}
	s := &scenario{T: t, cluster: c}
	t.Cleanup(s.end)
	return s
}

// part runs a part of the scenario, which -run can choose.
func (s *scenario) part(name string, run func(*scenario)) {
	passed := s.Run(name, func(t *testing.T) { run(newScenario(t)) })
	s.diagnosed = s.diagnosed || !passed
}

func (s *scenario) end() {
	// This also runs after an interruption, but then not on a cluster that
	// stops anyway.
	interrupted := ctx.Err() != nil
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Minute)
	defer cancel()
	if s.Failed() && !s.diagnosed && !interrupted {
		s.diagnose(ctx)
	}
	if s.Failed() && *keep || s.node != nil && interrupted {
		return
	}
	for _, undo := range slices.Backward(s.undo) {
		undo(ctx)
	}
}

// after runs kubectl when the scenario has ended, to undo something.
func (s *scenario) after(arguments ...string) {
	s.undo = append(s.undo, func(ctx context.Context) {
		if _, err := s.run(ctx, nil, arguments...); err != nil {
			s.Error(err)
		}
	})
}

// diagnose shows what explains most failures.
func (s *scenario) diagnose(ctx context.Context) {
	const conditions = `go-template={{range .items}}{{$item := .}}{{range .status.conditions}}{{$item.kind}} {{$item.metadata.namespace}}/{{$item.metadata.name}} {{.type}}={{.status}} {{.reason}}: {{.message}}{{"\n"}}{{end}}{{end}}`
	for _, arguments := range [][]string{
		{"get", "pods", "--all-namespaces", "--output", "wide"},
		{"get", "events", "--all-namespaces", "--field-selector", "type=Warning", "--sort-by", "lastTimestamp"},
		{"get", "mcpexternalauthconfigs,mcpservers,mcpremoteproxies,virtualmcpservers", "--all-namespaces", "--output", conditions},
		{"--namespace", ownNamespace, "logs", "--selector", ownPods, "--tail", "30", "--prefix"},
		{"--namespace", "toolhive-system", "logs", "deployment/toolhive-operator", "--tail", "30"},
	} {
		// An error means that there is nothing to show.
		output, _ := s.run(ctx, nil, arguments...)
		show("kubectl "+controlplane.Quote(arguments), output)
	}
}

// say announces what comes next.
func (s *scenario) say(format string, arguments ...any) {
	fmt.Printf("\n# "+format+"\n", arguments...)
}

// show shows a command and what it printed.
func show(command, output string) {
	fmt.Printf("\n$ %s\n", command)
	if output = strings.TrimRight(output, "\n"); output != "" {
		fmt.Println(output)
	}
}

// kubectl runs a command that must succeed, in a namespace if that is not empty,
// shows it, and returns what it printed.
func (s *scenario) kubectl(namespace string, arguments ...string) string {
	s.Helper()
	output, err := s.try(namespace, "", arguments...)
	s.must(err)
	return output
}

func (s *scenario) try(namespace, stdin string, arguments ...string) (string, error) {
	if namespace != "" {
		arguments = append([]string{"--namespace", namespace}, arguments...)
	}
	output, err := s.run(ctx, strings.NewReader(stdin), arguments...)
	shown := output
	if lines := strings.SplitAfter(output, "\n"); len(lines) > 10 && (slices.Contains(arguments, "apply") || slices.Contains(arguments, "delete")) {
		warnings := slices.DeleteFunc(slices.Clone(lines[3:]), func(line string) bool { return !strings.HasPrefix(line, "Warning: ") })
		shown = strings.Join(slices.Concat(lines[:3], warnings), "") + fmt.Sprintf("[… %d more …]\n", len(lines)-5) + lines[len(lines)-2]
	}
	show("kubectl "+controlplane.Quote(arguments), shown)
	return output, err
}

func (s *scenario) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

func testdata(name string) string { return filepath.Join("test", "e2e", "testdata", name) }

// apply applies files or folders of testdata.
func (s *scenario) apply(namespace string, files ...string) {
	s.Helper()
	arguments := []string{"apply"}
	for _, file := range files {
		arguments = append(arguments, "--filename", testdata(file))
	}
	s.kubectl(namespace, arguments...)
}

// changed returns the text of the files of testdata that match, with each old
// text replaced by the new one that follows it.
func (s *scenario) changed(pattern string, oldNew ...string) string {
	s.Helper()
	files, err := filepath.Glob(testdata(pattern))
	s.must(err)
	var text strings.Builder
	for _, file := range files {
		content, err := os.ReadFile(file) //nolint:gosec // Our own testdata.
		s.must(err)
		text.WriteString("---\n" + string(content))
	}
	for i := 0; i < len(oldNew); i += 2 {
		if !strings.Contains(text.String(), oldNew[i]) {
			s.Fatalf("%s has no %s", pattern, oldNew[i])
		}
	}
	return strings.NewReplacer(oldNew...).Replace(text.String())
}

// applyChanged applies files with something replaced in them, and returns what
// kubectl says.
func (s *scenario) applyChanged(pattern string, oldNew ...string) string {
	s.Helper()
	s.say("%s, changed:", testdata(pattern))
	for i := 0; i < len(oldNew); i += 2 {
		fmt.Printf("#   %s -> %s\n", oldNew[i], strings.ReplaceAll(oldNew[i+1], "\n", " "))
	}
	output, err := s.try("", s.changed(pattern, oldNew...), "apply", "--filename", "-")
	s.must(err)
	return output
}

// newNamespace makes a namespace for as long as the scenario runs.
func (s *scenario) newNamespace(name string, labels map[string]string) {
	s.Helper()
	s.must(s.client.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}}))
	s.after("delete", "namespace", name, "--timeout", "2m")
}

// await polls until missing returns nil. Its error says what is still missing.
func (s *scenario) await(what string, missing func() error) {
	s.Helper()
	begin := time.Now()
	var last error
	err := wait.PollUntilContextTimeout(ctx, 100*time.Millisecond, awaitTimeout, true, func(context.Context) (bool, error) {
		last = missing()
		return last == nil, nil
	})
	if err != nil {
		s.Fatalf("waiting until %s: %v", what, cmp.Or(last, err))
	}
	timed(begin, what)
}

func timed(begin time.Time, what string) {
	fmt.Printf("%6.1fs  %s\n", time.Since(begin).Seconds(), what)
}

// awaitConditions waits until each object has the condition, as TYPE=STATUS, of
// its generation.
func (s *scenario) awaitConditions(namespace, condition string, objects ...string) {
	s.Helper()
	s.kubectl(namespace, append([]string{"wait", "--for=condition=" + condition, "--timeout", awaitTimeout.String()}, objects...)...)
}

const allConditions = `jsonpath={range .status.conditions[*]}{.type}={.status}  {.reason}: {.message}{"\n"}{end}`
