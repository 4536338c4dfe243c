package node

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// process is a program that runs in the namespaces until it is stopped.
type process struct {
	command  *exec.Cmd
	log      string
	done     chan struct{}
	stopping bool
}

// run starts a program in the namespaces; its output goes to a log.
func (c *Cluster) run(name, program string, arguments ...string) error {
	log, err := os.OpenFile(filepath.Join(c.Folder, name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600) //nolint:gosec // Our own folder.
	if err != nil {
		return err
	}
	// The program has it open for itself.
	defer func() { _ = log.Close() }()
	started := &process{log: log.Name(), done: make(chan struct{})}
	// It ends with the namespaces, not with a context.
	started.command = c.space.command(context.Background(), program, arguments...)
	started.command.Stdout, started.command.Stderr = log, log
	if err := started.command.Start(); err != nil {
		return fmt.Errorf("starting %s: %w", name, err)
	}
	go func() {
		_ = started.command.Wait()
		close(started.done)
	}()
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.processes[name] = started
	return nil
}

// stop ends a program, by force after ten seconds.
func (p *process) stop() error {
	p.stopping = true
	// nsenter ends when the program does.
	pid, err := onlyChild(p.command.Process.Pid)
	if err != nil {
		return err
	}
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		if err := syscall.Kill(pid, signal); err != nil && !errors.Is(err, syscall.ESRCH) {
			return err
		}
		select {
		case <-p.done:
			return nil
		case <-time.After(10 * time.Second):
		}
	}
	return fmt.Errorf("process %d does not end", pid)
}

func (c *Cluster) await(ctx context.Context, what string, ask func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	for {
		err := ask(ctx)
		if err == nil {
			return nil
		}
		if ended := c.ended(); ended != nil {
			return ended
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting until %s: %w; the last error: %w; the logs are in %s", what, ctx.Err(), err, c.Folder)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// ended reports a program that ended by itself.
func (c *Cluster) ended() error {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	for name, process := range c.processes {
		select {
		case <-process.done:
			if !process.stopping {
				return fmt.Errorf("%s ended; its log ends with\n%s", name, tail(process.log))
			}
		default:
		}
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
