package main

import (
	"context"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/internal/testing/expect"
)

// TestStepsFail shows that a walk ends at the first step that does not do what
// it says, with what was seen.
func TestStepsFail(t *testing.T) {
	refusal := &exec.ExitError{}
	tests := map[string]struct {
		command command
		stdout  string
		stderr  string
		err     error
		want    string
	}{
		"as it says":         {command: command{says: []string{"created", "warned"}}, stdout: "created", stderr: "warned"},
		"refused as it says": {command: command{refused: true, says: []string{"invalid"}}, stderr: "invalid", err: refusal},
		"refused": {stderr: "no such host", err: refusal,
			want: `step 1 (test): kubectl apply -f 'a b': <nil>, but it should work; it said: no such host`},
		"not refused": {command: command{refused: true}, stdout: "created",
			want: `step 1 (test): kubectl apply -f 'a b': it was accepted, but it should be refused; it said: created`},
		"another text": {command: command{says: []string{"created"}}, stdout: "unchanged",
			want: `step 1 (test): kubectl apply -f 'a b': it should say "created", but it said: unchanged`},
		"no kubectl": {err: exec.ErrNotFound,
			want: `step 1 (test): kubectl apply -f 'a b': executable file not found in $PATH`},
		"a check": {command: command{check: func(context.Context, *walk) (string, error) { return "", errors.New("a pod crashes") }},
			want: `step 1 (test): kubectl apply -f 'a b': a pod crashes`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			calls := 0
			walk := &walk{out: console{io.Discard}, kubectl: func(context.Context, io.Reader, ...string) (string, string, error) {
				calls++
				return test.stdout, test.stderr, test.err
			}}
			test.command.args = []string{"apply", "-f", "a b"}
			err := walk.run(t.Context(), []step{{name: "test", commands: []command{test.command}}})
			message := ""
			if err != nil {
				message = err.Error()
			}
			// The process state of an exit error can't be made by hand.
			expect.Equal(t, "error", test.want, strings.Replace(message, refusal.Error(), "<nil>", 1))
			if calls != 1 {
				t.Errorf("%d calls, want 1", calls)
			}
		})
	}
}

// TestInterruptedStep shows that an interruption is not told as a false step.
func TestInterruptedStep(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("the manager ended")
	walk := &walk{out: console{io.Discard}, kubectl: func(context.Context, io.Reader, ...string) (string, string, error) {
		cancel(cause)
		return "", "", &exec.ExitError{}
	}}
	if err := walk.run(ctx, steps("")); !errors.Is(err, cause) {
		t.Errorf("got %v, want %v", err, cause)
	}
}
