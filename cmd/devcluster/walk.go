package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"
)

// step is one thing that the walk shows, and how.
type step struct {
	// name tells the step apart, and shows says in a sentence what it is for.
	name, shows string
	commands    []command
}

// command is a call of kubectl and what has to come of it.
type command struct {
	args []string
	// refused means that kubectl has to fail.
	refused bool
	// says are texts that the output has to have.
	says []string
	// check looks at the objects afterwards, and says what it found.
	check func(context.Context, *walk) (string, error)
}

// walk goes through steps.
type walk struct {
	kubectl func(ctx context.Context, stdin io.Reader, args ...string) (stdout, stderr string, err error)
	client  client.WithWatch
	out     console
	// rolledOut is what the first rollout made.
	rolledOut rollouts
}

// run goes through steps and ends at the first that does not do what it says.
func (w *walk) run(ctx context.Context, steps []step) error {
	for i, step := range steps {
		w.out.printf("\n%d. %s\n%s\n\n", i+1, strings.ToUpper(step.name), step.shows)
		for _, command := range step.commands {
			if err := w.do(ctx, command); err != nil {
				return fmt.Errorf("step %d (%s): kubectl %s: %w", i+1, step.name, quoteAll(command.args), err)
			}
		}
	}
	w.out.printf("\nAll %d steps did what they say.\n", len(steps))
	return nil
}

// do runs a command, shows it as a terminal would, and checks what came of it.
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
		return fmt.Errorf("%w, but it should work; it said: %s", err, seen)
	case err == nil && command.refused:
		return fmt.Errorf("it was accepted, but it should be refused; it said: %s", seen)
	}
	for _, text := range command.says {
		if !strings.Contains(seen, text) {
			return fmt.Errorf("it should say %q, but it said: %s", text, seen)
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

// awaitTimeout bounds the wait for something that takes well under a second.
const awaitTimeout = 30 * time.Second

// await watches the objects of a kind in the namespace of the samples until ok
// accepts them. It lists into list.
func (w *walk) await(ctx context.Context, list client.ObjectList, what string, ok func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, awaitTimeout)
	defer cancel()
	events, err := w.client.Watch(ctx, list.DeepCopyObject().(client.ObjectList), client.InNamespace(namespace))
	if err != nil {
		return fmt.Errorf("watching: %w", err)
	}
	defer events.Stop()
	// The watch is older than the list, so no change is missed in between.
	for {
		if err := w.client.List(ctx, list, client.InNamespace(namespace)); err != nil {
			return fmt.Errorf("waiting until %s: %w", what, err)
		}
		if ok() {
			return nil
		}
		if _, open := <-events.ResultChan(); !open {
			return fmt.Errorf("waited in vain until %s", what)
		}
	}
}

// quoteAll writes arguments as they would be typed in a shell.
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
