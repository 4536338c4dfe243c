package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	// namespace of the samples.
	namespace = "mcp-demo"
	// mistakes is the folder of the samples that contain deliberate mistakes.
	mistakes = "mistakes"
)

// step is one part of the walk.
type step struct {
	// name is the heading of the step, and shows explains what it demonstrates.
	name, shows string
	commands    []command
}

// command is a call of kubectl with its expected result.
type command struct {
	args []string
	// refused means that kubectl must fail.
	refused bool
	// says are texts that the output must contain.
	says []string
	// check inspects the objects afterwards and returns a sentence about them.
	check func(context.Context, *walk) (string, error)
}

// walk runs steps.
type walk struct {
	kubectl func(ctx context.Context, stdin io.Reader, args ...string) (stdout, stderr string, err error)
	client  client.WithWatch
	out     console
	// done counts the steps.
	done int
	// rolledOut is the result of the first rollout in standalone mode.
	rolledOut rollouts
}

// run runs steps until the first that fails.
func (w *walk) run(ctx context.Context, steps []step) error {
	for _, step := range steps {
		w.done++
		w.out.printf("\n%d. %s\n%s\n\n", w.done, strings.ToUpper(step.name), step.shows)
		for _, command := range step.commands {
			if err := w.do(ctx, command); err != nil {
				return fmt.Errorf("step %d (%s): kubectl %s: %w", w.done, step.name, quoteAll(command.args), err)
			}
		}
	}
	return nil
}

// do runs a command, prints it as in a terminal, and checks its result.
func (w *walk) do(ctx context.Context, command command) error {
	w.out.printf("$ kubectl %s\n", quoteAll(command.args))
	stdout, stderr, err := w.kubectl(ctx, nil, command.args...)
	seen := strings.TrimRight(stdout+stderr, "\n")
	if seen != "" {
		w.out.printf("%s\n", seen)
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	var exit *exec.ExitError
	switch {
	case err != nil && !errors.As(err, &exit):
		return err
	case err != nil && !command.refused:
		return fmt.Errorf("%w, want success; output: %s", err, seen)
	case err == nil && command.refused:
		return fmt.Errorf("want failure, but it succeeded; output: %s", seen)
	}
	for _, text := range command.says {
		if !strings.Contains(seen, text) {
			return fmt.Errorf("want %q in the output; output: %s", text, seen)
		}
	}
	if command.check != nil {
		found, err := command.check(ctx, w)
		if err != nil {
			return err
		}
		w.out.printf("=> %s\n", found)
	}
	w.out.printf("\n")
	return nil
}

// awaitTimeout limits waits that take well under a second.
const awaitTimeout = 2 * time.Minute

// await watches the objects of list's kind in the namespace of the samples until
// ok returns true. It lists them into list before each call of ok.
func (w *walk) await(ctx context.Context, list client.ObjectList, what string, ok func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, awaitTimeout)
	defer cancel()
	events, err := w.client.Watch(ctx, list.DeepCopyObject().(client.ObjectList), client.InNamespace(namespace))
	if err != nil {
		return fmt.Errorf("watching: %w", err)
	}
	defer events.Stop()
	// The watch starts before the list, so no change is missed in between.
	for {
		if err := w.client.List(ctx, list, client.InNamespace(namespace)); err != nil {
			return fmt.Errorf("waiting until %s: %w", what, err)
		}
		if ok() {
			return nil
		}
		if _, open := <-events.ResultChan(); !open {
			return fmt.Errorf("timed out waiting until %s", what)
		}
	}
}

// quoteAll quotes arguments as in a shell.
func quoteAll(args []string) string {
	quoted := make([]string, len(args))
	for i, arg := range args {
		quoted[i] = quote(arg)
	}
	return strings.Join(quoted, " ")
}

func quote(arg string) string {
	if arg != "" && !strings.ContainsAny(arg, " \t\n\"'`$&|;<>(){}[]*?!#~\\") {
		return arg
	}
	return "'" + strings.ReplaceAll(arg, "'", `'\''`) + "'"
}

// applyFrom returns a function that makes the arguments of kubectl apply, with files of a
// folder.
func applyFrom(folder string) func(files ...string) []string {
	return func(files ...string) []string {
		args := []string{"apply"}
		for _, file := range files {
			args = append(args, "-f", filepath.Join(folder, file))
		}
		return args
	}
}

// waitFor returns the kubectl arguments that wait for a condition of each object.
func waitFor(condition string, objects ...string) []string {
	return append(append(words("wait --timeout=30s"), objects...), "--for=condition="+condition)
}

// words splits first at spaces and appends whole unchanged.
func words(first string, whole ...string) []string {
	return append(strings.Fields(first), whole...)
}
