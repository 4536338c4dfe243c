package main

import (
	"cmp"
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/scopegate/scopegate/internal/inventory"
	"github.com/scopegate/scopegate/internal/inventory/tree"
	"github.com/scopegate/scopegate/internal/scopes"
)

const treeLong = `Show the auth server configs of a cluster with their consumers: the verdict, the effective scopes and their source, and the state of the rollout.

It computes the verdicts from the current objects; -o wide also shows the condition BaselineScopesValid. It works with scopegate's own CRDs and with
ToolHive's, with or without the guard. It needs permission to list the kinds of ToolHive's group. With ToolHive's CRDs it also lists
Deployments to determine the state of a rollout, and prints a note if it may not. With -A it leaves out the guard's own namespace scopegate-canary.

Exit status: 0 the tree was shown, whatever the verdicts are, 2 wrong usage, 3 the cluster could not be read or watched.`

const treeExample = `  # The namespace of the context
  kubectl scopegate tree

  # All namespaces, with complete lists, conditions and messages
  kubectl scopegate tree -A -o wide

  # The effect of an edit of a shared config, while you make it
  kubectl scopegate tree -n team-a --watch

  # The consumers whose auth servers would not start
  kubectl scopegate tree -A -o json | jq -r '.configs[] | .namespace as $ns | .consumers[] | select(.verdict.state == "NotSupported") | "\($ns)/\(.name)"'`

func newTree(defaults *scopes.List) *cobra.Command {
	var format string
	var watch bool
	command := &cobra.Command{
		Use:     "tree [-n NAMESPACE | -A] [-o wide|json] [--watch]",
		Short:   "Show the auth server configs of a cluster, their consumers and verdicts",
		Long:    treeLong,
		Example: treeExample,
		Args:    cobra.NoArgs,
	}
	flags := newClusterFlags(command, defaults)
	command.Flags().StringVarP(&format, "output", "o", "", "output format: wide or json; a table if not set")
	command.Flags().BoolVarP(&watch, "watch", "w", false, "show the tree again after each change, until interrupted")
	must(command.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"wide", "json"}, cobra.ShellCompDirectiveNoFileComp)))
	command.RunE = func(command *cobra.Command, _ []string) error {
		if format != "" && format != "wide" && format != "json" {
			return errors.New("-o must be wide or json")
		}
		reader, namespace, err := flags.connect()
		if err != nil {
			return &exitError{exitFailed, err}
		}
		view := &treeView{out: command.OutOrStdout(), format: format, again: watch}
		view.say = func(text string) { command.PrintErrf("%s: %s\n", command.CommandPath(), text) }
		snapshot, err := readTree(command.Context(), reader, namespace)
		if err == nil {
			err = view.show(snapshot)
		}
		if err == nil && watch {
			err = view.follow(command.Context(), reader, snapshot)
		}
		if err != nil {
			return &exitError{exitFailed, err}
		}
		return nil
	}
	return command
}

func readTree(ctx context.Context, reader *inventory.Cluster, namespace string) (*inventory.Snapshot, error) {
	snapshot, err := reader.Read(ctx, namespace)
	if err == nil {
		err = reader.ReadDeployments(ctx, snapshot)
	}
	return snapshot, err
}

// settle is how long to wait for further changes: many status writes follow an
// edit of a config. retry is how often to ask an API server that does not answer.
const (
	settle = 500 * time.Millisecond
	retry  = time.Second
)

// follow shows the tree again after each change, until it is interrupted or a right
// is missing. While the API server is unavailable it says so.
func (v *treeView) follow(ctx context.Context, reader *inventory.Cluster, snapshot *inventory.Snapshot) error {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	namespace := snapshot.Namespace
	for {
		lost, err := v.untilLost(ctx, reader, snapshot)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil || apierrors.IsForbidden(lost):
			return cmp.Or(err, lost)
		}
		v.say("the watch is interrupted: " + lost.Error())
		for lost != nil {
			if !wait(ctx, retry) {
				return nil
			}
			if snapshot, lost = readTree(ctx, reader, namespace); apierrors.IsForbidden(lost) {
				return lost
			}
		}
		v.say("the watch goes on")
		if err := v.show(snapshot); err != nil {
			return err
		}
	}
}

// untilLost shows the tree again after each change. It returns an error of the API
// server as lost, and one of the output as err.
func (v *treeView) untilLost(ctx context.Context, reader *inventory.Cluster, snapshot *inventory.Snapshot) (lost, err error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	changed, failed := reader.Changes(ctx, snapshot)
	for {
		select {
		case <-ctx.Done():
			return nil, nil
		case lost := <-failed:
			return lost, nil
		case <-changed:
		}
		if !wait(ctx, settle) {
			return nil, nil
		}
		if snapshot, lost = readTree(ctx, reader, snapshot.Namespace); lost != nil {
			return lost, nil
		}
		if err := v.show(snapshot); err != nil {
			return nil, err
		}
	}
}

// wait reports false if ctx is done before the time is over.
func wait(ctx context.Context, duration time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(duration):
		return true
	}
}

// treeView shows a tree. With again it also shows each later tree that differs
// from the previous one: in place on a terminal, on a single line in JSON,
// otherwise after a line of three dashes.
type treeView struct {
	out    io.Writer
	say    func(string)
	format string
	again  bool
	last   string
}

// clearScreen moves the cursor to the top left and clears the screen.
const clearScreen = "\x1b[H\x1b[2J"

func (v *treeView) show(snapshot *inventory.Snapshot) error {
	report := tree.Build(snapshot)
	text := report.Text(v.format == "wide", width(v.out))
	if v.format == "json" {
		var err error
		if text, err = encoded(report, !v.again); err != nil {
			return err
		}
	}
	if v.last == text {
		return nil
	}
	before := ""
	switch {
	case v.format == "json" || !v.again:
	case isTerminal(v.out):
		before = clearScreen
	case v.last != "":
		before = "---\n"
	}
	v.last = text
	_, err := io.WriteString(v.out, before+text)
	return err
}

// width returns the width of a terminal, or 0 if out is none.
func width(out io.Writer) int {
	if file, ok := out.(*os.File); ok {
		if width, _, err := term.GetSize(int(file.Fd())); err == nil {
			return width
		}
	}
	return 0
}

func isTerminal(out io.Writer) bool {
	file, ok := out.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}
