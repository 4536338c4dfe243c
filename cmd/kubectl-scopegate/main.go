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

	"github.com/spf13/cobra"

	"github.com/scopegate/scopegate/internal/toolhive"
)

// The exit statuses, documented in docs/lint.md and docs/tree.md.
const (
	exitClean        = 0
	exitFindings     = 1
	exitUsage        = 2
	exitNotValidated = 3
)

func main() {
	// Signals end the process as they do by default: lint has nothing to put in
	// order, and a read of standard input would not heed a context.
	os.Exit(run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run is the command without the process around it.
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
		// What is not an exitError comes from the parser of the command line.
		command.PrintErrf("%s: %v\nSee '%s --help'.\n", command.CommandPath(), err, command.CommandPath())
		return exitUsage
	}
}

// encoded is a report in JSON, on several lines if it is indented.
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

// exitError ends the process with a status; without an error, quietly.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit status %d", e.code)
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "kubectl-scopegate",
		Short: "Report whether the baseline scopes of auth servers hold, before the cluster does",
		Long: "Report whether the baseline scopes of embedded auth servers are among the scopes that the auth servers support.\n" +
			"As a plugin it runs as: kubectl scopegate",
		Example: "  kubectl scopegate lint -R -f deploy/\n" +
			"  kubectl scopegate tree -A\n" +
			"  kubectl scopegate guard check -A",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.NoArgs,
		RunE:          func(command *cobra.Command, _ []string) error { return command.Help() },
		Annotations:   map[string]string{cobra.CommandDisplayNameAnnotation: "kubectl scopegate"},
	}
	defaults := scopeList(slices.Clone(toolhive.DefaultScopes))
	root.PersistentFlags().Var(&defaults, "default-scopes", "what ToolHive's auth server supports when it is told no scopes, with spaces or commas between")
	root.AddCommand(newLint(&defaults), newTree(&defaults), newGuard(&defaults), newVersion(&defaults))
	return root
}
