package testenv

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Output collects the output of a process.
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

// String returns the output so far.
func (o *Output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// Process is a running manager process.
type Process struct {
	command *exec.Cmd
	ended   chan error
	output  Output
}

// Logs returns the output of the process so far.
func (p *Process) Logs() string { return p.output.String() }

// Stop sends SIGTERM and returns the exit error.
func (p *Process) Stop() error {
	if err := p.command.Process.Signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("stopping the manager: %w", err)
	}
	select {
	case err := <-p.ended:
		return err
	case <-time.After(awaitTimeout):
		return fmt.Errorf("the manager does not exit on SIGTERM")
	}
}

// Kill ends the process abruptly, like a node failure.
func (p *Process) Kill() { _ = p.command.Process.Kill() }

// AwaitLog waits until the output of the process contains text.
func (p *Process) AwaitLog(t testing.TB, text string) {
	t.Helper()
	for begin := time.Now(); !strings.Contains(p.Logs(), text); <-time.After(10 * time.Millisecond) {
		if time.Since(begin) > awaitTimeout {
			t.Fatalf("the manager does not print %q", text)
		}
	}
}

// BuildManager builds cmd/manager and returns the path of the binary.
func BuildManager(t testing.TB) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "manager")
	output, err := exec.CommandContext(t.Context(), "go", "build", "-o", path, "github.com/scopegate/scopegate/cmd/manager").CombinedOutput() //nolint:gosec // Our own package.
	if err != nil {
		t.Fatalf("building the manager: %v\n%s", err, output)
	}
	return path
}

// StartProcess runs the manager binary until the test ends or it is stopped.
func StartProcess(t testing.TB, manager string, arguments ...string) *Process {
	t.Helper()
	return StartCommand(t, exec.Command(manager, arguments...))
}

// StartCommand is StartProcess for an arbitrary command.
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
			t.Logf("log of the manager:\n%s", process.Logs())
		}
	})
	return process
}

// FreeAddress returns a loopback address that nothing listens on. Its port is
// below the kernel's ephemeral ports, so that no connection takes it in the
// meantime.
func FreeAddress(t testing.TB) string {
	t.Helper()
	const first, count, tries = 20000, 10000, 100
	var err error
	for range tries {
		var listener net.Listener
		listener, err = net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", first+rand.IntN(count))) //nolint:gosec // Any port will do.
		if err == nil {
			defer func() { _ = listener.Close() }()
			return listener.Addr().String()
		}
	}
	t.Fatalf("finding a port: %v", err)
	return ""
}
