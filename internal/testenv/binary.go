package testenv

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
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

// Token returns a token of a service account.
func (c *Cluster) Token(ctx context.Context, namespace, name string) (string, error) {
	request := &authenticationv1.TokenRequest{}
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	if err := c.Client.SubResource("token").Create(ctx, account, request); err != nil {
		return "", fmt.Errorf("asking for a token of service account %s/%s: %w", namespace, name, err)
	}
	return request.Status.Token, nil
}

// KubeconfigOf writes a kubeconfig that is a service account's, as a pod has it.
func (c *Cluster) KubeconfigOf(t testing.TB, namespace, name string) string {
	t.Helper()
	token, err := c.Token(t.Context(), namespace, name)
	if err != nil {
		t.Fatal(err)
	}
	config := clientcmdapi.NewConfig()
	config.Clusters["it"] = &clientcmdapi.Cluster{Server: c.Config.Host, CertificateAuthorityData: c.Config.CAData}
	config.AuthInfos["it"] = &clientcmdapi.AuthInfo{Token: token}
	config.Contexts["it"] = &clientcmdapi.Context{Cluster: "it", AuthInfo: "it"}
	config.CurrentContext = "it"
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := clientcmd.WriteToFile(*config, path); err != nil {
		t.Fatal(err)
	}
	return path
}

// AdminFiles writes the certificate and the key of an administrator, for those
// that take files, and returns their paths.
func (c *Cluster) AdminFiles(t testing.TB) (certificate, key string) {
	t.Helper()
	folder := t.TempDir()
	certificate, key = filepath.Join(folder, "tls.crt"), filepath.Join(folder, "tls.key")
	for path, data := range map[string][]byte{certificate: c.Config.CertData, key: c.Config.KeyData} {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return certificate, key
}
