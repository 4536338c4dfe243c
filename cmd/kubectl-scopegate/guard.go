package main

import (
	"errors"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"github.com/scopegate/scopegate/internal/cluster"
	"github.com/scopegate/scopegate/internal/cluster/check"
)

const checkLong = `Take stock of a cluster that ToolHive's operator runs, before and after it adopts the guard.

It finds the pairs of a config and a consumer that are bad already, the run configs in ToolHive's ConfigMaps that an auth server would refuse, what the
guard holds, the namespaces where it is off, what it would reject and hold if it denied, and what ToolHive's operator would roll out if the guard were
removed. It also says which versions the cluster has, and warns of those that scopegate is not tested with. Nothing is written.

Exit status: 0 clean, 1 findings, 2 wrong usage, 3 could not check. Warnings and notes alone are clean, unless --strict.`

const checkExample = `  # Before the guard is installed: what is bad already?
  kubectl scopegate guard check -A

  # Before it denies: which edits would it reject?
  kubectl scopegate guard check -A -o json | jq '.findings[] | select(.deny[]? == "edit-rejected").object'

  # Before it is removed: what would be released?
  kubectl scopegate guard check -A -o json | jq '.findings[] | select(.rule == "guard/released").object'

  # One namespace, as a check that fails for warnings too
  kubectl scopegate guard check -n team-a --strict`

func newGuard(defaults *scopeList) *cobra.Command {
	command := &cobra.Command{
		Use:     "guard",
		Short:   "Look after the guard beside ToolHive's operator",
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
		Short:   "Find what is bad already, held, rejected with deny, and released without the guard",
		Long:    checkLong,
		Example: checkExample,
		Args:    cobra.NoArgs,
	}
	flags := newClusterFlags(command, defaults)
	command.Flags().StringVarP(&format, "output", "o", "text", "how to write findings: text or json")
	command.Flags().BoolVar(&strict, "strict", false, "fail for warnings too")
	must(command.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"text", "json"}, cobra.ShellCompDirectiveNoFileComp)))
	command.RunE = func(command *cobra.Command, _ []string) error {
		if format != "text" && format != "json" {
			return errors.New("-o must be text or json")
		}
		report, err := flags.takeStock(command)
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

func (f *clusterFlags) takeStock(command *cobra.Command) (check.Report, error) {
	reader, namespace, err := f.connect()
	if err != nil {
		return check.Report{}, err
	}
	snapshot, err := reader.Read(command.Context(), namespace)
	if err != nil {
		return check.Report{}, err
	}
	if snapshot.Mode != cluster.Guard {
		return check.Report{}, errors.New("the cluster has scopegate's own CRDs: there is no guard in standalone mode, see kubectl scopegate tree")
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
	return check.Take(snapshot, installed), nil
}
