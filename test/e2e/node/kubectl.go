package node

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
)

// Kubectl runs kubectl as an administrator, and shows the command and what it
// printed, as evidence. It returns both its outputs, in the order of printing.
func (c *Cluster) Kubectl(ctx context.Context, stdin io.Reader, arguments ...string) (string, error) {
	output, err := c.KubectlQuiet(ctx, stdin, arguments...)
	c.Show("kubectl "+quoted(arguments), output)
	return output, err
}

// Show shows a command and what it printed.
func (c *Cluster) Show(command, output string) {
	text := "\n$ " + command + "\n"
	if output = strings.TrimRight(output, "\n"); output != "" {
		text += output + "\n"
	}
	c.printf("%s", text)
}

// KubectlQuiet is Kubectl, and shows nothing.
func (c *Cluster) KubectlQuiet(ctx context.Context, stdin io.Reader, arguments ...string) (string, error) {
	command := exec.CommandContext(ctx, c.KubectlPath, arguments...) //nolint:gosec // The pinned binary.
	command.Env = append(os.Environ(), "KUBECONFIG="+c.Kubeconfig,
		// Nothing of the user's home is read or written.
		"KUBECTL_KUBERC=false", "KUBECACHEDIR="+c.path("kubectl-cache"))
	command.Stdin = stdin
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	output, err := command.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("kubectl %s: %w: %s", quoted(arguments), err, output)
	}
	return string(output), err
}

// quoted is how a command is written in a shell.
func quoted(arguments []string) string {
	words := make([]string, len(arguments))
	for i, argument := range arguments {
		words[i] = argument
		if strings.ContainsAny(argument, " \t\n'\"{}()$*|&;<>") {
			words[i] = "'" + strings.ReplaceAll(argument, "'", `'\''`) + "'"
		}
	}
	return strings.Join(words, " ")
}
