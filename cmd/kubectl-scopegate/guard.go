package main

import (
	"errors"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"github.com/scopegate/scopegate/internal/cluster"
	"github.com/scopegate/scopegate/internal/cluster/check"
)

const checkLong = `Check a cluster that runs ToolHive's operator, before and after you install the guard.

It reports the pairs of a config and a consumer that are not supported, the run configs in ToolHive's ConfigMaps that an auth server would refuse, the
run configs that the guard holds, and the namespaces where the guard is off. It also reports what the guard would reject or hold in mode deny, and what
ToolHive's operator would roll out without the guard. It prints the versions of the cluster and warns about versions that scopegate is not tested with.
It writes nothing to the cluster.

Exit status: 0 clean, 1 findings, 2 wrong usage, 3 could not check. Warnings and notes alone are clean, unless --strict.`

const checkExample = `  # Before you install the guard: what is wrong already?
  kubectl scopegate guard check -A

  # Before you switch it to deny: which edits would it reject?
  kubectl scopegate guard check -A -o json | jq '.findings[] | select(.deny[]? == "edit-rejected").object'

  # Before you remove it: what would be released?
  kubectl scopegate guard check -A -o json | jq '.findings[] | select(.rule == "guard/released").object'

  # One namespace, with warnings as failures
  kubectl scopegate guard check -n team-a --strict`

func newGuard(defaults *scopeList) *cobra.Command {
	command := &cobra.Command{
		Use:     "guard",
		Short:   "Check the guard beside ToolHive's operator",
		Example: "  kubectl scopegate guard check -A",
		Args:    cobra.NoArgs,
		RunE:    func(command *cobra.Command, _ []string) error { return command.Help() },
	}
	command.AddCommand(newGuardCheck(defaults))
	return command
}

func newGuardCheck(defaults *scopeList) *cobra.Command {
	var format string
	var strict bool
	command := &cobra.Command{
		Use:     "check [-n NAMESPACE | -A] [-o text|json]",
		Short:   "Report what is wrong already, held, rejected in mode deny, or released without the guard",
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
			return &exitError{exitNotValidated, err}
		}
		text := report.Text()
		if format == "json" {
			text, err = encoded(report, true)
		}
		if err == nil {
			_, err = io.WriteString(command.OutOrStdout(), text)
		}
		if err != nil {
			return &exitError{exitNotValidated, err}
		}
		if slices.ContainsFunc(report.Findings, func(f check.Finding) bool { return f.Severity == check.Error || strict && f.Severity == check.Warning }) {
			return &exitError{code: exitFindings}
		}
		return nil
	}
	return command
}

func (f *clusterFlags) check(command *cobra.Command) (check.Report, error) {
	reader, namespace, err := f.connect()
	if err != nil {
		return check.Report{}, err
	}
	snapshot, err := reader.Read(command.Context(), namespace)
	if err != nil {
		return check.Report{}, err
	}
	if snapshot.Mode != cluster.Guard {
		return check.Report{}, errors.New("the cluster has scopegate's own CRDs, and standalone mode has no guard: use kubectl scopegate tree")
	}
	if why, hidden := snapshot.Hidden["configmaps"]; hidden {
		return check.Report{}, errors.New("the stored run configs can't be checked: " + why)
	}
	installed, err := reader.Installation(command.Context(), snapshot.Hidden)
	if err != nil {
		return check.Report{}, err
	}
	installed.Namespaces, err = reader.Namespaces(command.Context(), namespace, snapshot.Hidden)
	if err != nil {
		return check.Report{}, err
	}
	return check.Run(snapshot, installed), nil
}
