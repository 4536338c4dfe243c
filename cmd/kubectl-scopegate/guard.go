package main

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/scopegate/scopegate/internal/inventory"
	"github.com/scopegate/scopegate/internal/live"
)

const checkLong = `Take stock of a cluster that ToolHive's operator runs, before and after it adopts the guard.

It finds the pairs of a config and a consumer that are bad already, the run configs in ToolHive's ConfigMaps that an auth server would refuse, what the
guard holds, what it is told to leave alone, and what ToolHive's operator would roll out if the guard were removed. Nothing is written.

Exit status: 0 clean, 1 findings, 2 wrong usage, 3 could not judge. Warnings and notes alone are clean, unless --strict.`

const checkExample = `  # Before the guard is installed: what is bad already?
  kubectl scopegate guard check -A

  # Before it is removed: what would be released?
  kubectl scopegate guard check -A -o json | jq '.findings[] | select(.rule == "guard/released").object'

  # One namespace, as a check that fails for warnings too
  kubectl scopegate guard check -n team-a --strict`

func newGuard() *cobra.Command {
	command := &cobra.Command{
		Use:     "guard",
		Short:   "Look after the guard beside ToolHive's operator",
		Example: "  kubectl scopegate guard check -A",
		Args:    cobra.NoArgs,
		RunE:    func(command *cobra.Command, _ []string) error { return command.Help() },
	}
	command.AddCommand(newGuardCheck())
	return command
}

func newGuardCheck() *cobra.Command {
	var format string
	var strict bool
	command := &cobra.Command{
		Use:     "check [-n NAMESPACE | -A] [-o text|json]",
		Short:   "Find what is bad already, held, exempt, and released without the guard",
		Long:    checkLong,
		Example: checkExample,
		Args:    cobra.NoArgs,
	}
	flags := newClusterFlags(command)
	command.Flags().StringVarP(&format, "output", "o", "text", "how to write findings: text or json")
	command.Flags().BoolVar(&strict, "strict", false, "fail for warnings too")
	must(command.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"text", "json"}, cobra.ShellCompDirectiveNoFileComp)))
	command.RunE = func(command *cobra.Command, _ []string) error {
		if format != "text" && format != "json" {
			return errors.New("-o must be text or json")
		}
		report, err := flags.takeStock(command)
		if err != nil {
			return &exitError{exitUnjudged, err}
		}
		write := report.WriteText
		if format == "json" {
			write = report.WriteJSON
		}
		if err := write(command.OutOrStdout()); err != nil {
			return &exitError{exitUnjudged, err}
		}
		if report.Count(inventory.Error) > 0 || (strict && report.Count(inventory.Warning) > 0) {
			return &exitError{code: exitFindings}
		}
		return nil
	}
	return command
}

func (f *clusterFlags) takeStock(command *cobra.Command) (inventory.Report, error) {
	cluster, namespace, err := f.connect()
	if err != nil {
		return inventory.Report{}, err
	}
	snapshot, err := cluster.Read(command.Context(), namespace)
	if err != nil {
		return inventory.Report{}, err
	}
	if snapshot.Mode != live.Guard {
		return inventory.Report{}, errors.New("the cluster has scopegate's own CRDs: there is no guard in whole mode, see kubectl scopegate tree")
	}
	if why, hidden := snapshot.Hidden["configmaps"]; hidden {
		return inventory.Report{}, errors.New("the stored run configs can't be judged: " + why)
	}
	settings, err := cluster.Settings(command.Context(), namespace)
	if err != nil {
		return inventory.Report{}, err
	}
	return inventory.Take(snapshot, settings, namespace), nil
}
