// Command kubectl-scopegate is a kubectl plugin that gives scopegate's verdicts
// before the cluster does. kubectl runs it as kubectl scopegate.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	"k8s.io/klog/v2"

	"github.com/scopegate/scopegate/internal/scopes"
	"github.com/scopegate/scopegate/internal/toolhive"
	"github.com/scopegate/scopegate/internal/versions"
)

// The exit statuses, documented in docs/lint.md and docs/tree.md.
const (
	exitClean    = 0
	exitFindings = 1
	exitUsage    = 2
	exitFailed   = 3
)

func main() {
	// The plugin prints errors itself. The client libraries would print some again, in a
	// format of their own.
	klog.SetLogger(logr.Discard())
	// The default signal handlers are enough: lint has nothing to clean up, and a
	// read of standard input ignores a context.
	os.Exit(run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run runs the command and returns its exit status.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	root := newRoot()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	command, err := root.ExecuteContextC(ctx)
	var exit *exitError
	switch {
	case err == nil:
		return exitClean
	case errors.As(err, &exit):
		if exit.err != nil {
			command.PrintErrf("%s: %v\n", command.CommandPath(), exit.err)
		}
		return exit.code
	default:
		// All other errors come from the command line parser.
		command.PrintErrf("%s: %v\nSee '%s --help'.\n", command.CommandPath(), err, command.CommandPath())
		return exitUsage
	}
}

// encoded returns a report as JSON, on several lines if indented.
func encoded(report any, indented bool) (string, error) {
	var text strings.Builder
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if indented {
		encoder.SetIndent("", "  ")
	}
	err := encoder.Encode(report)
	return text.String(), err
}

// exitError ends the process with a status, and prints err unless it is nil.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string { return fmt.Sprintf("exit status %d: %v", e.code, e.err) }

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "kubectl-scopegate",
		Short: "Check the baseline scopes of auth servers before the cluster does",
		Long: "Check that embedded auth servers support their baseline scopes.\n" +
			"As a plugin, run it as: kubectl scopegate",
		Example: "  kubectl scopegate lint -R -f deploy/\n" +
			"  kubectl scopegate tree -A\n" +
			"  kubectl scopegate guard check -A",
		Version:       versions.Own(),
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          onlyCommands,
		RunE:          func(command *cobra.Command, _ []string) error { return command.Help() },
		Annotations:   map[string]string{cobra.CommandDisplayNameAnnotation: "kubectl scopegate"},
	}
	defaults := scopes.List(slices.Clone(toolhive.DefaultScopes))
	root.PersistentFlags().Var(&defaults, "default-scopes", "the scopes that ToolHive's auth server supports if none are configured, separated by spaces")
	root.SetVersionTemplate("scopegate {{.Version}}\n")
	root.AddCommand(newLint(&defaults), newTree(&defaults), newGuard(&defaults), newVersion(&defaults))
	return root
}

// onlyCommands rejects arguments of a command that only has commands below it. Like
// cobra does without Args, it suggests a command with a similar name.
func onlyCommands(command *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	command.SuggestionsMinimumDistance = 2
	suggestion := ""
	if names := command.SuggestionsFor(args[0]); len(names) > 0 {
		suggestion = fmt.Sprintf("; did you mean %s?", strings.Join(names, " or "))
	}
	return fmt.Errorf("unknown command %q for %q%s", args[0], command.CommandPath(), suggestion)
}
