package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/internal/testing/controlplane"
)

const (
	// samples is the folder of the manifests, and namespace theirs.
	samples   = "config/samples"
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
	// check, if not nil, is called afterwards. It returns what it has done.
	check func(context.Context, *walk) (string, error)
}

// walk runs steps.
type walk struct {
	plane  *controlplane.ControlPlane
	client client.Client
	// done counts the steps.
	done int
}

// run runs steps until the first that fails.
func (w *walk) run(ctx context.Context, steps []step) error {
	for _, step := range steps {
		w.done++
		fmt.Printf("\n%d. %s\n%s\n\n", w.done, strings.ToUpper(step.name), step.shows)
		for _, command := range step.commands {
			if err := w.do(ctx, command); err != nil {
				return fmt.Errorf("step %d (%s): kubectl %s: %w", w.done, step.name, controlplane.Quote(command.args), err)
			}
		}
	}
	return nil
}

// do runs a command, prints it as in a terminal, and checks its result.
func (w *walk) do(ctx context.Context, command command) error {
	fmt.Printf("$ kubectl %s\n", controlplane.Quote(command.args))
	stdout, stderr, err := w.plane.Kubectl(ctx, nil, command.args...)
	seen := strings.TrimRight(stdout+stderr, "\n")
	if seen != "" {
		fmt.Println(seen)
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
		fmt.Printf("=> %s\n", found)
	}
	fmt.Println()
	return nil
}

// apply returns the kubectl arguments that apply samples.
func apply(files ...string) []string {
	args := []string{"apply"}
	for _, file := range files {
		args = append(args, "-f", filepath.Join(samples, file))
	}
	return args
}

// waitFor returns the kubectl arguments that wait for a condition of each object.
func waitFor(condition string, objects ...string) []string {
	return append(append(words("wait --timeout=30s"), objects...), "--for=condition="+condition)
}

// words splits first at spaces and appends whole unchanged.
func words(first string, whole ...string) []string {
	return append(strings.Fields(first), whole...)
}
