package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/scopegate/scopegate/internal/cluster"
	"github.com/scopegate/scopegate/internal/versions"
)

const versionLong = `Print the version of the plugin and, where a cluster is configured, those of Kubernetes and of ToolHive's operator, and what is installed of the guard.

It warns of versions that scopegate is not tested with. The version of ToolHive's operator is that of its Deployment's labels; it is unknown where they
do not say it or can't be read.

Exit status: 0 the versions were printed, 2 wrong usage, 3 the cluster could not be read.`

const versionExample = `  # The plugin, and the cluster of the context
  kubectl scopegate version

  # The plugin alone
  kubectl scopegate version --client`

// versionReport is the report in JSON: fields may be added to it, and a change that
// could break a reader changes its apiVersion.
type versionReport struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	// Client is the version of the plugin.
	Client string `json:"client"`
	// Server is absent without a cluster.
	Server *serverVersions `json:"server,omitempty"`
	// Notes say what could not be read, and which versions are not tested.
	Notes []string `json:"notes,omitempty"`
}

type serverVersions struct {
	versions.Found
	Guard cluster.Installed `json:"guard"`
}

func newVersion(defaults *scopeList) *cobra.Command {
	var format string
	var clientOnly bool
	command := &cobra.Command{
		Use:     "version [--client] [-o json]",
		Short:   "Print the versions of the plugin and of what a cluster runs",
		Long:    versionLong,
		Example: versionExample,
		Args:    cobra.NoArgs,
	}
	flags := newClusterFlags(command, defaults)
	command.Flags().BoolVar(&clientOnly, "client", false, "print the version of the plugin alone, and reach no cluster")
	command.Flags().StringVarP(&format, "output", "o", "", "how to write the versions: json; text if not set")
	must(command.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"json"}, cobra.ShellCompDirectiveNoFileComp)))
	command.RunE = func(command *cobra.Command, _ []string) error {
		if format != "" && format != "json" {
			return errors.New("-o must be json")
		}
		report := versionReport{APIVersion: "scopegate.dev/version/v1", Kind: "Version", Client: versions.Own()}
		var failed error
		if !clientOnly {
			failed = flags.askServer(command.Context(), &report)
		}
		// As kubectl does, the client's is printed also where the server's can't be had.
		text := report.text()
		var err error
		if format == "json" {
			text, err = encoded(report, true)
		}
		if err == nil {
			_, err = io.WriteString(command.OutOrStdout(), text)
		}
		if err = errors.Join(failed, err); err != nil {
			return &exitError{exitNotValidated, err}
		}
		return nil
	}
	return command
}

// askServer adds what the cluster says, if one is configured.
func (f *clusterFlags) askServer(ctx context.Context, report *versionReport) error {
	reader, _, err := f.connect()
	if errors.Is(err, errNoCluster) {
		return nil
	}
	if err != nil {
		return err
	}
	snapshot := cluster.Snapshot{Hidden: map[string]string{}}
	installed, err := reader.Installation(ctx, snapshot.Hidden)
	if err != nil {
		return err
	}
	report.Server = &serverVersions{installed.Found, installed.Installed}
	report.Notes = append(snapshot.Notes(), installed.Warnings()...)
	return nil
}

func (r versionReport) text() string {
	var text strings.Builder
	fmt.Fprintln(&text, "scopegate", r.Client)
	for _, note := range r.Notes {
		fmt.Fprintln(&text, note)
	}
	if r.Server != nil {
		fmt.Fprintln(&text, r.Server.Found)
		fmt.Fprintln(&text, r.Server.Guard)
	}
	return text.String()
}
