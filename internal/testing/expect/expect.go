// Package expect has the checks that the tests of many packages make. It imports
// nothing of scopegate, so that the tests within any package can use it.
package expect

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/util/wait"
)

// NoError ends the test if there is an error.
func NoError(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Error reports an error that is missing, or whose text lacks one of wants.
func Error(t testing.TB, err error, wants ...string) {
	t.Helper()
	if err == nil {
		t.Errorf("got no error, want one with %q", wants)
		return
	}
	Contains(t, err.Error(), wants...)
}

// Equal reports the difference of two values.
func Equal(t testing.TB, what string, want, got any, options ...cmp.Option) {
	t.Helper()
	if diff := cmp.Diff(want, got, options...); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// Contains reports what a text lacks of wants.
func Contains(t testing.TB, text string, wants ...string) {
	t.Helper()
	for _, want := range wants {
		if !strings.Contains(text, want) {
			t.Errorf("want %q in:\n%s", want, text)
		}
	}
}

// Golden compares a text with a file, line by line. With update it writes the file
// first.
func Golden(t testing.TB, update bool, file, got string) {
	t.Helper()
	if update {
		WriteFile(t, file, got)
	}
	want := ReadFile(t, file)
	if diff := cmp.Diff(strings.Split(want, "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("%s differs; run with -update if that is intended (-want +got):\n%s", file, diff)
	}
}

// ReadFile returns the content of a file.
func ReadFile(t testing.TB, path string) string {
	t.Helper()
	content, err := os.ReadFile(path) //nolint:gosec // A file of a test.
	NoError(t, err)
	return string(content)
}

// WriteFile writes a file.
func WriteFile(t testing.TB, path, content string) {
	t.Helper()
	NoError(t, os.WriteFile(path, []byte(content), 0o644)) //nolint:gosec // Golden files are for everybody.
}

// Output runs a command that has to succeed, and returns what it prints.
func Output(t testing.TB, command *exec.Cmd) string {
	t.Helper()
	output, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", command, err, output)
	}
	return string(output)
}

// Eventually polls until done returns true. After two minutes it fails the test and
// logs what last returns. It is for what has no event to wait for.
func Eventually(t testing.TB, what string, done func(context.Context) (bool, error), last ...func() string) {
	t.Helper()
	err := wait.PollUntilContextTimeout(t.Context(), 20*time.Millisecond, 2*time.Minute, true, done)
	if err == nil {
		return
	}
	for _, state := range last {
		t.Log(state())
	}
	t.Fatalf("waiting until %s: %v", what, err)
}
