package main

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/scopegate/scopegate/internal/cluster"
	"github.com/scopegate/scopegate/internal/cluster/tree"
)

const treeLong = `Show the auth server configs of a cluster with their consumers: each one's verdict, its effective scopes and where they come from, and how far its
rollout is.

The verdicts are computed from the objects as they are now; the condition BaselineScopesValid is shown beside them by -o wide. It works with scopegate's
own CRDs and on ToolHive's, with the guard and without. It needs the right to list the kinds of ToolHive's group; on ToolHive's CRDs it also lists
ConfigMaps and Deployments to tell the state of a rollout, and says so where it may not.

Exit status: 0 the tree was shown, whatever the verdicts are, 2 wrong usage, 3 the cluster could not be read.`

const treeExample = `  # The namespace of the context
  kubectl scopegate tree

  # All namespaces, with whole lists, conditions and messages
  kubectl scopegate tree -A -o wide

  # What an edit of a shared config does, while it is made
  kubectl scopegate tree -n team-a --watch

  # The consumers whose auth servers would not start
  kubectl scopegate tree -A -o json | jq -r '.configs[] | .namespace as $ns | .consumers[] | select(.verdict.state == "NotSupported") | "\($ns)/\(.name)"'`

func newTree(defaults *scopeList) *cobra.Command {
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
	command.Flags().StringVarP(&format, "output", "o", "", "how to write the tree: wide or json; a table if not set")
	command.Flags().BoolVarP(&watch, "watch", "w", false, "show the tree again whenever it changes, until interrupted")
	must(command.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"wide", "json"}, cobra.ShellCompDirectiveNoFileComp)))
	command.RunE = func(command *cobra.Command, _ []string) error {
		if format != "" && format != "wide" && format != "json" {
			return errors.New("-o must be wide or json")
		}
		reader, namespace, err := flags.connect()
		if err != nil {
			return &exitError{exitNotValidated, err}
		}
		view := &treeView{out: command.OutOrStdout(), format: format, namespaces: flags.allNamespaces, again: watch}
		snapshot, err := reader.Read(command.Context(), namespace)
		if err == nil {
			err = view.show(snapshot)
		}
		if err == nil && watch {
			err = view.follow(command.Context(), reader, namespace, snapshot)
		}
		if err != nil {
			return &exitError{exitNotValidated, err}
		}
		return nil
	}
	return command
}

// settle is how long changes are gathered: an edit of a config is followed by many of
// statuses.
const settle = 500 * time.Millisecond

// follow shows the tree again whenever something has changed, until it is interrupted.
// While the API server is away it shows nothing.
func (v *treeView) follow(ctx context.Context, reader *cluster.Cluster, namespace string, snapshot *cluster.Snapshot) error {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	changes, err := reader.Changes(ctx, namespace, snapshot)
	for err == nil {
		select {
		case <-ctx.Done():
			return nil
		case <-changes:
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(settle):
		}
		if snapshot, unread := reader.Read(ctx, namespace); unread == nil {
			err = v.show(snapshot)
		}
	}
	return err
}

// treeView shows a tree, and with again each that differs from the one before:
// on a terminal in its place, else after a line of three dashes, and in JSON on
// a line of its own.
type treeView struct {
	out               io.Writer
	format            string
	namespaces, again bool
	last              string
}

// clearScreen moves to the upper left corner and clears what is below.
const clearScreen = "\x1b[H\x1b[2J"

func (v *treeView) show(snapshot *cluster.Snapshot) error {
	report := tree.Build(snapshot)
	text := report.Text(v.namespaces, v.format == "wide")
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

func isTerminal(out io.Writer) bool {
	file, ok := out.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}
