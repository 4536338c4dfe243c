package main

import (
	"errors"
	"io"
	"os"
	"slices"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/scopegate/scopegate/internal/lint"
	"github.com/scopegate/scopegate/internal/lint/report"
	"github.com/scopegate/scopegate/internal/scopes"
	"github.com/scopegate/scopegate/internal/versions"
)

const lintLong = `Validate manifests as the API server and scopegate's controllers would, without a cluster.

It validates each object against the schema and the rules of its kind, as the API server does with strict field validation. Then it matches the auth
server configs with their consumers, and reports each scope of baselineClientScopes that an auth server would not support, with its line. It skips other
kinds.

It sends nothing anywhere. Render templates first: pipe the output of kustomize build or helm template into it.

Exit status: 0 clean, 1 findings, 2 wrong usage, 3 could not validate. Warnings alone are clean, unless --strict.`

const lintExample = `  # A folder and its subfolders
  kubectl scopegate lint -R -f deploy/

  # The output of kustomize or helm
  kustomize build overlays/prod | kubectl scopegate lint -f -

  # An edit of existing objects: transition rules apply, and values that were stored before a rule may stay
  kubectl get -o yaml mcpserver,mcpexternalauthconfig > stored.yaml
  kubectl scopegate lint -f deploy/ --old stored.yaml

  # Annotations in a pull request
  kubectl scopegate lint -R -f deploy/ -o github`

// lintFlags are the flags of lint.
type lintFlags struct {
	paths, old []string
	recursive  bool
	strict     bool
	guard      bool
	namespace  string
	format     string
	// defaults is the --default-scopes flag of the root command.
	defaults *scopes.List
}

func newLint(defaults *scopes.List) *cobra.Command {
	flags := &lintFlags{defaults: defaults}
	command := &cobra.Command{
		Use:     "lint (-f PATH | -f DIR | -f -)...",
		Short:   "Validate manifests without a cluster",
		Long:    lintLong,
		Example: lintExample,
		RunE:    flags.run,
	}
	command.Flags().StringArrayVarP(&flags.paths, "filename", "f", nil, "a file, a folder, or - for standard input; can be repeated, and -f can be omitted")
	command.Flags().BoolVarP(&flags.recursive, "recursive", "R", false, "read subfolders too")
	command.Flags().StringArrayVar(&flags.old, "old", nil, "a file, a folder or - with the stored versions of the objects; can be repeated")
	command.Flags().BoolVar(&flags.strict, "strict", false, "treat warnings as errors, for example a reference to an object that is not in the input")
	command.Flags().BoolVar(&flags.guard, "guard", false, "validate for a cluster with the guard and ToolHive's CRDs, which have no scopesSupported")
	command.Flags().StringVarP(&flags.namespace, "namespace", "n", "default", "the namespace of objects without a namespace")
	command.Flags().StringVarP(&flags.format, "output", "o", report.Text, "output format: text, json, sarif, junit or github")
	must(command.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(report.Formats(), cobra.ShellCompDirectiveNoFileComp)))
	return command
}

func (f *lintFlags) run(command *cobra.Command, args []string) error {
	paths := slices.Concat(f.paths, args)
	write, err := report.In(f.format)
	switch {
	case err != nil:
		return err
	case len(paths) == 0:
		return errors.New("nothing to validate: name files or folders with -f, or - for standard input")
	case twice(lint.Stdin, slices.Concat(paths, f.old)):
		return errors.New("standard input can be read only once: name - once")
	}
	options := report.Options{Color: colors(command.OutOrStdout()), Version: versions.Own()}
	found, err := f.lint(command, paths)
	if err != nil {
		// A program that expects a report gets one that says why there is none.
		failure := &exitError{exitFailed, err}
		if f.format != report.Text {
			return errors.Join(failure, write(command.OutOrStdout(), lint.Report{Failure: err.Error()}, options))
		}
		return failure
	}
	if err := write(command.OutOrStdout(), found, options); err != nil {
		return &exitError{exitFailed, err}
	}
	if found.Count(lint.Error) > 0 {
		return &exitError{code: exitFindings}
	}
	return nil
}

// lint reads and validates the input. It returns an error if that is impossible.
func (f *lintFlags) lint(command *cobra.Command, paths []string) (lint.Report, error) {
	sources, err := lint.Read(paths, f.recursive, command.InOrStdin())
	if err != nil {
		return lint.Report{}, err
	}
	old, err := lint.Read(f.old, f.recursive, command.InOrStdin())
	if err != nil {
		return lint.Report{}, err
	}
	if len(sources) == 0 {
		return lint.Report{}, errors.New("there are no manifests: only .yaml, .yml and .json files are read, and subfolders only with -R")
	}
	found, err := lint.Lint(command.Context(), sources, lint.Options{Namespace: f.namespace, Strict: f.strict, Guard: f.guard, Old: old, DefaultScopes: *f.defaults})
	if err == nil && slices.Contains(paths, lint.Stdin) && found.Empty() {
		// A pipe hides the failure of the command that should print manifests.
		return lint.Report{}, errors.New("standard input has no objects: the command that prints it may have failed")
	}
	return found, err
}

// twice reports whether values contain wanted more than once.
func twice(wanted string, values []string) bool {
	count := 0
	for _, value := range values {
		if value == wanted {
			count++
		}
	}
	return count > 1
}

// colors reports whether out is a terminal whose user wants colors
// (no-color.org).
func colors(out io.Writer) bool {
	file, ok := out.(*os.File)
	return ok && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" && term.IsTerminal(int(file.Fd()))
}
