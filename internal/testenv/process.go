package testenv

import (
	"bytes"
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Output keeps what a process prints.
type Output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements io.Writer.
func (o *Output) Write(text []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(text)
}

// String returns what was printed so far.
func (o *Output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// Process is the built manager, running.
type Process struct {
	command *exec.Cmd
	ended   chan error
	output  Output
}

// Logs returns what the process has printed so far.
func (p *Process) Logs() string { return p.output.String() }

// Stop sends SIGTERM and returns how the process ended.
func (p *Process) Stop() error {
	if err := p.command.Process.Signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("stopping the manager: %w", err)
	}
	select {
	case err := <-p.ended:
		return err
	case <-time.After(awaitTimeout):
		return fmt.Errorf("the manager does not end on SIGTERM")
	}
}

// BuildManager builds cmd/manager.
func BuildManager(t testing.TB) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "manager")
	output, err := exec.CommandContext(t.Context(), "go", "build", "-o", path, "github.com/scopegate/scopegate/cmd/manager").CombinedOutput() //nolint:gosec // Our own package.
	if err != nil {
		t.Fatalf("building the manager: %v\n%s", err, output)
	}
	return path
}

// StartProcess runs the built manager until the test ends or it is stopped.
func StartProcess(t testing.TB, manager string, arguments ...string) *Process {
	t.Helper()
	return StartCommand(t, exec.Command(manager, arguments...))
}

// StartCommand is StartProcess for a command that has more than arguments.
func StartCommand(t testing.TB, command *exec.Cmd) *Process {
	t.Helper()
	process := &Process{command: command, ended: make(chan error, 1)}
	process.command.Stdout, process.command.Stderr = &process.output, &process.output
	if err := process.command.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { process.ended <- process.command.Wait() }()
	t.Cleanup(func() {
		_ = process.command.Process.Kill()
		if t.Failed() {
			t.Logf("the log of the manager:\n%s", process.Logs())
		}
	})
	return process
}

// FreeAddress returns a loopback address that nothing listens on.
func FreeAddress(t testing.TB) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().String()
}
