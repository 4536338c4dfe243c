package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/scopegate/scopegate/internal/inventory"
	"github.com/scopegate/scopegate/internal/scopes"
	"github.com/scopegate/scopegate/internal/versions"
)

// clusterFlags are the flags of the commands that read a cluster: kubectl's flags
// for the connection, and --all-namespaces. They come from client-go, as
// kubectl's do. The kubectl package that wraps them would double the memory in
// which lint starts, although lint needs no cluster.
type clusterFlags struct {
	loading       *clientcmd.ClientConfigLoadingRules
	overrides     clientcmd.ConfigOverrides
	allNamespaces bool
	// defaults is the --default-scopes flag of the root command.
	defaults *scopes.List
}

var errNoCluster = errors.New("no cluster is configured: set --kubeconfig, KUBECONFIG or, with a kubeconfig file, --context")

func newClusterFlags(command *cobra.Command, defaults *scopes.List) *clusterFlags {
	flags := &clusterFlags{loading: clientcmd.NewDefaultClientConfigLoadingRules(), defaults: defaults}
	set := command.Flags()
	set.StringVar(&flags.loading.ExplicitPath, "kubeconfig", "", "path of the kubeconfig file")
	clientcmd.BindOverrideFlags(&flags.overrides, set, clientcmd.RecommendedConfigOverrideFlags(""))
	set.BoolVarP(&flags.allNamespaces, "all-namespaces", "A", false, "read all namespaces")
	must(command.RegisterFlagCompletionFunc("namespace", flags.completeNamespace))
	return flags
}

// connect returns a client for the cluster and the namespace to read, or "" for
// all namespaces.
func (f *clusterFlags) connect() (*inventory.Cluster, string, error) {
	loader := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(f.loading, &f.overrides)
	cfg, err := loader.ClientConfig()
	switch {
	case clientcmd.IsEmptyConfig(err):
		return nil, "", errNoCluster
	case err != nil:
		return nil, "", err
	}
	cfg.UserAgent = "kubectl-scopegate/" + versions.Own()
	reader, err := inventory.New(cfg, *f.defaults)
	if err != nil {
		return nil, "", err
	}
	if f.allNamespaces {
		return reader, "", nil
	}
	namespace, _, err := loader.Namespace()
	if err != nil {
		return nil, "", fmt.Errorf("reading the namespace of the context: %w", err)
	}
	return reader, namespace, nil
}

func (f *clusterFlags) completeNamespace(command *cobra.Command, _ []string, begun string) ([]string, cobra.ShellCompDirective) {
	reader, _, err := f.connect()
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	namespaces, err := reader.Namespaces(command.Context(), "", map[string]string{})
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	var fitting []string
	for name := range namespaces {
		if strings.HasPrefix(name, begun) {
			fitting = append(fitting, name)
		}
	}
	return fitting, cobra.ShellCompDirectiveNoFileComp
}

// must panics on an error that only a mistake in this program can cause.
func must(err error) {
	if err != nil {
		panic(err)
	}
}
