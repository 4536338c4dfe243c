package testenv

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/scopegate/scopegate/internal/testing/expect"
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
	expect.Eventually(t, "the process prints "+text, func(context.Context) (bool, error) {
		return strings.Contains(p.Logs(), text), nil
	}, p.Logs)
}

// BuildManager builds cmd/manager and returns the path of the binary.
func BuildManager(t testing.TB) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "manager")
	expect.NoError(t, Build(t.Context(), "github.com/scopegate/scopegate/cmd/manager", path))
	return path
}

// Build builds a program of scopegate's.
func Build(ctx context.Context, main, path string) error {
	// What only a debugger needs takes time to link.
	output, err := exec.CommandContext(ctx, "go", "build", "-ldflags=-s -w", "-o", path, main).CombinedOutput()
	if err != nil {
		return fmt.Errorf("building %s: %w\n%s", main, err, output)
	}
	return nil
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
	expect.NoError(t, process.command.Start())
	go func() {
		process.ended <- process.command.Wait()
		close(process.ended)
	}()
	t.Cleanup(func() {
		process.Kill()
		for range process.ended {
			// It has ended when the channel is closed.
		}
		if t.Failed() {
			t.Logf("log of %s:\n%s", filepath.Base(command.Path), process.Logs())
		}
	})
	return process
}

// FreeAddress returns a loopback address that nothing listens on. Its port is
// below the kernel's ephemeral ports, so that no connection takes it in the
// meantime. No other test gets the same port, as the UDP port of the same number is
// taken until the test ends.
func FreeAddress(t testing.TB) string {
	t.Helper()
	const first, count, tries = 20000, 10000, 100
	var err error
	for range tries {
		address := fmt.Sprintf("127.0.0.1:%d", first+rand.IntN(count)) //nolint:gosec // Any port will do.
		var reserved net.PacketConn
		if reserved, err = net.ListenPacket("udp", address); err != nil { //nolint:noctx // A test.
			continue
		}
		var listener net.Listener
		if listener, err = net.Listen("tcp", address); err != nil { //nolint:noctx // A test.
			_ = reserved.Close()
			continue
		}
		_ = listener.Close()
		t.Cleanup(func() { _ = reserved.Close() })
		return address
	}
	t.Fatalf("finding a port: %v", err)
	return ""
}

// trusting trusts any certificate: managers sign their own.
var trusting = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}} //nolint:gosec // See above.

// Fetch gets a URL, with a token unless that is empty.
func Fetch(ctx context.Context, url, token string) (status int, body string, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return 0, "", err
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := trusting.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	return response.StatusCode, string(text), err
}

// Sum adds up the samples of a counter or a gauge in a text of metrics. It fails if there
// is none.
func Sum(text, metric string) (sum float64, err error) {
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(text))
	if err == nil && len(families[metric].GetMetric()) == 0 {
		err = fmt.Errorf("no metric %s in:\n%s", metric, text)
	}
	for _, sample := range families[metric].GetMetric() {
		sum += sample.GetCounter().GetValue() + sample.GetGauge().GetValue()
	}
	return sum, err
}

// Reconciles returns the number of finished reconciles in this process, and of objects
// that are being reconciled.
func Reconciles() (ended, active float64, err error) {
	families, err := metrics.Registry.Gather()
	if err != nil {
		return 0, 0, fmt.Errorf("reading the metrics of this process: %w", err)
	}
	for _, family := range families {
		for _, metric := range family.Metric {
			switch family.GetName() {
			case "controller_runtime_reconcile_total":
				ended += metric.GetCounter().GetValue()
			case "controller_runtime_active_workers":
				active += metric.GetGauge().GetValue()
			}
		}
	}
	return ended, active, nil
}
