package main

import (
	"errors"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"github.com/scopegate/scopegate/internal/inventory"
	"github.com/scopegate/scopegate/internal/inventory/guardcheck"
	"github.com/scopegate/scopegate/internal/scopes"
)

const checkLong = `Check a cluster that runs ToolHive's operator, before and after you install the guard.

It reports the pairs of a config and a consumer that are not supported, with the mode of the guard in their namespaces, the namespaces whose label
scopegate.dev/guard is not a mode, and those in mode strict whose objects a GitOps tool manages. It prints the versions of the cluster and warns about versions that scopegate is not tested with. It writes nothing
to the cluster.

Exit status: 0 clean, 1 findings, 2 wrong usage, 3 could not check. Warnings and notes alone are clean, unless --strict.`

const checkExample = `  # Before you install the guard: what is wrong already?
  kubectl scopegate guard check -A

  # Before you remove it: which pods would start and crash?
  kubectl scopegate guard check -A -o json | jq '.findings[] | select(.rule == "pair/not-supported" and (.mode == "enforce" or .mode == "strict")).object'

  # One namespace, with warnings as failures
  kubectl scopegate guard check -n team-a --strict`

func newGuard(defaults *scopes.List) *cobra.Command {
	command := &cobra.Command{
		Use:     "guard",
		Short:   "Check the guard beside ToolHive's operator",
		Example: "  kubectl scopegate guard check -A",
		Args:    onlyCommands,
		RunE:    func(command *cobra.Command, _ []string) error { return command.Help() },
	}
	command.AddCommand(newGuardCheck(defaults))
	return command
}

func newGuardCheck(defaults *scopes.List) *cobra.Command {
	var format string
	var strict bool
	command := &cobra.Command{
		Use:     "check [-n NAMESPACE | -A] [-o text|json]",
		Short:   "Report what is wrong already, and the mode of the guard for it",
		Long:    checkLong,
		Example: checkExample,
		Args:    cobra.NoArgs,
	}
	flags := newClusterFlags(command, defaults)
	command.Flags().StringVarP(&format, "output", "o", "text", "output format: text or json")
	command.Flags().BoolVar(&strict, "strict", false, "fail on warnings too")
	must(command.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"text", "json"}, cobra.ShellCompDirectiveNoFileComp)))
	command.RunE = func(command *cobra.Command, _ []string) error {
		if format != "text" && format != "json" {
			return errors.New("-o must be text or json")
		}
		report, err := flags.check(command)
		if err != nil {
			return &exitError{exitFailed, err}
		}
		text := report.Text()
		if format == "json" {
			text, err = encoded(report, true)
		}
		if err == nil {
			_, err = io.WriteString(command.OutOrStdout(), text)
		}
		if err != nil {
			return &exitError{exitFailed, err}
		}
		if slices.ContainsFunc(report.Findings, func(f guardcheck.Finding) bool {
			return f.Severity == guardcheck.Error || strict && f.Severity == guardcheck.Warning
		}) {
			return &exitError{code: exitFindings}
		}
		return nil
	}
	return command
}

func (f *clusterFlags) check(command *cobra.Command) (guardcheck.Report, error) {
	reader, namespace, err := f.connect()
	if err != nil {
		return guardcheck.Report{}, err
	}
	snapshot, err := reader.Read(command.Context(), namespace)
	if err != nil {
		return guardcheck.Report{}, err
	}
	if snapshot.Mode != inventory.Guard {
		return guardcheck.Report{}, errors.New("the cluster has scopegate's own CRDs, and standalone mode has no guard: use kubectl scopegate tree")
	}
	installed, err := reader.Installation(command.Context(), snapshot.Unreadable)
	if err != nil {
		return guardcheck.Report{}, err
	}
	installed.Namespaces, err = reader.Namespaces(command.Context(), namespace, snapshot.Unreadable)
	if err != nil {
		return guardcheck.Report{}, err
	}
	return guardcheck.Run(snapshot, installed), nil
}
