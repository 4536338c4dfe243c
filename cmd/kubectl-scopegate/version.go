package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/scopegate/scopegate/internal/inventory"
	"github.com/scopegate/scopegate/internal/scopes"
	"github.com/scopegate/scopegate/internal/versions"
)

const versionLong = `Print the version of the plugin. If a cluster is configured, also print the versions of Kubernetes and of ToolHive's operator, and the installed parts of the guard.

It warns about versions that scopegate is not tested with. It reads the version of ToolHive's operator from a label of its Deployment; the version is
unknown if the label is missing or can't be read.

Exit status: 0 the versions were printed, 2 wrong usage, 3 the cluster could not be read.`

const versionExample = `  # The plugin, and the cluster of the context
  kubectl scopegate version

  # The plugin only
  kubectl scopegate version --client`

// versionReport is the report in JSON. New fields may be added; a breaking change
// gets a new apiVersion.
type versionReport struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	// Client is the version of the plugin.
	Client string `json:"client"`
	// Server is absent without a cluster.
	Server *serverVersions `json:"server,omitempty"`
	// Notes list what could not be read, and the versions that are not tested.
	Notes []string `json:"notes,omitempty"`
}

type serverVersions struct {
	versions.Found
	// Guard is absent if the bindings of policies could not be read.
	Guard *inventory.Installed `json:"guard,omitempty"`
}

func newVersion(defaults *scopes.List) *cobra.Command {
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
	command.Flags().BoolVar(&clientOnly, "client", false, "print only the version of the plugin, without contacting a cluster")
	command.Flags().StringVarP(&format, "output", "o", "", "output format: json; text if not set")
	must(command.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"json"}, cobra.ShellCompDirectiveNoFileComp)))
	command.RunE = func(command *cobra.Command, _ []string) error {
		if format != "" && format != "json" {
			return errors.New("-o must be json")
		}
		report := versionReport{APIVersion: "scopegate.dev/version/v2", Kind: "Version", Client: versions.Own()}
		var failed error
		if !clientOnly {
			failed = flags.askServer(command.Context(), &report)
		}
		// Like kubectl, print the client's version even if the server's is not available.
		text := report.text()
		var err error
		if format == "json" {
			text, err = encoded(report, true)
		}
		if err == nil {
			_, err = io.WriteString(command.OutOrStdout(), text)
		}
		if err = errors.Join(failed, err); err != nil {
			return &exitError{exitFailed, err}
		}
		return nil
	}
	return command
}

// askServer adds the versions of the cluster, if one is configured.
func (f *clusterFlags) askServer(ctx context.Context, report *versionReport) error {
	reader, _, err := f.connect()
	if errors.Is(err, errNoCluster) {
		return nil
	}
	if err != nil {
		return err
	}
	snapshot := inventory.Snapshot{Unreadable: map[string]string{}}
	installed, err := reader.Installation(ctx, snapshot.Unreadable)
	if err != nil {
		return err
	}
	report.Server = &serverVersions{installed.Found, installed.Guard}
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
