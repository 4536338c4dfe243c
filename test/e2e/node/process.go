package node

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
)

// run starts a program in the namespaces, with which it ends; its output goes to a log.
func (c *Cluster) run(name, program string, arguments ...string) error {
	log, err := os.Create(c.path(name + ".log"))
	if err != nil {
		return err
	}
	// The program has it open for itself.
	defer func() { _ = log.Close() }()
	command := c.space.command(context.Background(), program, arguments...)
	command.Stdout, command.Stderr = log, log
	if err := command.Start(); err != nil {
		return fmt.Errorf("starting %s: %w", name, err)
	}
	go func() {
		_ = command.Wait()
		c.ended(fmt.Errorf("%s ended; its log ends with\n%s", name, tail(log.Name())))
	}()
	return nil
}

func (c *Cluster) await(ctx context.Context, what string, ask func(context.Context) error) error {
	var last error
	err := wait.PollUntilContextTimeout(ctx, 50*time.Millisecond, 3*time.Minute, true, func(ctx context.Context) (bool, error) {
		last = ask(ctx)
		return last == nil, nil
	})
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		return fmt.Errorf("waiting until %s: %w; the last error: %w; the logs are in %s", what, err, last, c.Folder)
	}
	return nil
}

func tail(path string) string {
	text, err := os.ReadFile(path) //nolint:gosec // Our own log.
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(lines[max(0, len(lines)-20):], "\n")
}
