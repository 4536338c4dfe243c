package main

import (
	"bytes"
	"context"
	"encoding/pem"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/zitadel/oidc/v3/example/server/exampleop"
	"github.com/zitadel/oidc/v3/example/server/storage"
	"golang.org/x/oauth2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/scopegate/scopegate/api/v1alpha1"
	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/internal/resolve"
	"github.com/scopegate/scopegate/internal/rollout"
	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/internal/testing/testenv"
)

const (
	upstreamSecret = "a-secret-of-a-test" //nolint:gosec // It protects nothing.
	// mounts is the folder of the keys, secrets and CA bundles in a pod.
	mounts = "/etc/toolhive/authserver"
)

type authServer struct {
	issuer   string
	resource string
	provider *httptest.Server
	process  *exec.Cmd
	log      *lockedBuffer
	ended    chan error
}

// startAuthServer renders the run config of a consumer as the operator does. It
// starts the binary with that run config and with the files and variables of the
// pod.
func startAuthServer(t *testing.T, manifests, kind, name string) *authServer {
	t.Helper()
	address := testenv.FreeAddress(t)
	server := &authServer{issuer: "http://" + address, log: &lockedBuffer{}, ended: make(chan error, 1)}
	server.provider = startProvider(t, server.issuer+"/oauth/callback")
	runConfig := server.render(t, manifests, kind, name)

	folder := t.TempDir()
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.provider.Certificate().Raw})
	for name, content := range map[string][]byte{
		"keys/key-0.pem": newKey(t), "keys/key-1.pem": newKey(t),
		"hmac/hmac-0": bytes.Repeat([]byte{7}, 32), "upstream-ca/0/ca.crt": ca,
		// The run config has the pod's paths; in this test the files are
		// elsewhere.
		"run.json": []byte(strings.ReplaceAll(runConfig, mounts, folder)),
	} {
		file := filepath.Join(folder, name)
		expect.NoError(t, os.MkdirAll(filepath.Dir(file), 0o700))
		expect.NoError(t, os.WriteFile(file, content, 0o600))
	}
	server.process = exec.Command(binary, "--config", filepath.Join(folder, "run.json"), "--listen", address, "--shutdown-delay", "5s") //nolint:gosec,noctx // Under test.
	server.process.Env = append(os.Environ(), "TOOLHIVE_UPSTREAM_CLIENT_SECRET_COMPANY="+upstreamSecret)
	server.process.Stderr = server.log
	expect.NoError(t, server.process.Start())
	go func() { server.ended <- server.process.Wait() }()
	t.Cleanup(func() {
		if server.process.ProcessState == nil {
			_ = server.process.Process.Kill()
		}
		if t.Failed() {
			t.Logf("log of the auth server:\n%s", server.log.String())
		}
	})
	server.awaitReady(t)
	return server
}

func (s *authServer) render(t *testing.T, manifests, kind, name string) string {
	t.Helper()
	consumer, configs := load(t, manifests, kind, name)
	pair, err := resolve.Resolve(consumer, func(name string) (*v1beta1.MCPExternalAuthConfig, error) { return configs[name], nil })
	expect.NoError(t, err)
	// Use the addresses of this test, and a provider on a loopback host with its
	// own CA.
	pair.Config.Issuer = s.issuer
	upstream := pair.Config.UpstreamProviders[0].OIDCConfig
	upstream.IssuerURL, upstream.RedirectURI, upstream.AllowPrivateIPs = s.provider.URL, s.issuer+"/oauth/callback", true
	upstream.CABundleRef = &v1alpha1.CABundleSource{ConfigMapRef: &v1alpha1.ConfigMapKeyRef{Name: "company-ca", Key: "ca.crt"}}
	s.resource = consumer.ResourceURL()

	checked, hold := rollout.Check(pair, true)
	if hold != nil {
		t.Fatalf("%s is held: %s: %s", consumer, hold.Reason, hold.Message)
	}
	return checked.RunConfig()
}

func load(t *testing.T, manifests, kind, name string) (resolve.Consumer, map[string]*v1beta1.MCPExternalAuthConfig) {
	t.Helper()
	files, err := filepath.Glob(manifests)
	if err != nil || len(files) == 0 {
		t.Fatalf("no manifests %s: %v", manifests, err)
	}
	var consumer resolve.Consumer
	configs := map[string]*v1beta1.MCPExternalAuthConfig{}
	for _, file := range files {
		text := expect.ReadFile(t, file)
		for _, document := range strings.Split(text, "\n---\n") {
			object := decode(t, document)
			if config, ok := object.(*v1beta1.MCPExternalAuthConfig); ok {
				configs[config.Name] = config
			} else if found, ok := resolve.ConsumerOf(object); ok && found.Kind == kind && found.Name == name {
				consumer = found
			}
		}
	}
	if consumer.Name == "" {
		t.Fatalf("no %s %q in %s", kind, name, manifests)
	}
	return consumer, configs
}

func decode(t *testing.T, document string) any {
	t.Helper()
	var meta metav1.TypeMeta
	expect.NoError(t, yaml.Unmarshal([]byte(document), &meta))
	object, ok := map[string]any{
		"MCPExternalAuthConfig": &v1beta1.MCPExternalAuthConfig{}, "MCPServer": &v1beta1.MCPServer{},
		"MCPRemoteProxy": &v1beta1.MCPRemoteProxy{}, "VirtualMCPServer": &v1beta1.VirtualMCPServer{},
	}[meta.Kind]
	if !ok {
		return nil
	}
	expect.NoError(t, yaml.UnmarshalStrict([]byte(document), object))
	return object
}

// startProvider starts the OpenID provider of zitadel/oidc's examples, over TLS.
func startProvider(t *testing.T, callback string) *httptest.Server {
	t.Helper()
	provider := httptest.NewUnstartedServer(nil)
	provider.StartTLS()
	t.Cleanup(provider.Close)
	clients := map[string]*storage.Client{}
	for _, id := range []string{"scopegate", "mcp-auth", "mcp-office"} {
		clients[id] = storage.WebClient(id, upstreamSecret, callback)
	}
	store := storage.NewStorageWithClients(storage.NewUserStore(provider.URL), clients)
	provider.Config.Handler = exampleop.SetupServer(provider.URL, store, slog.New(slog.DiscardHandler), false)
	return provider
}

func (s *authServer) awaitReady(t *testing.T) {
	t.Helper()
	s.await(t, "ready", func() bool {
		response, err := http.Get(s.issuer + "/readyz") //nolint:noctx // A test.
		if err != nil {
			return false
		}
		response.Body.Close() //nolint:errcheck,gosec // A test.
		return response.StatusCode == http.StatusOK
	})
}

// await polls until ok returns true: a process has no event to wait for.
func (s *authServer) await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(2 * time.Minute)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case err := <-s.ended:
			t.Fatalf("the auth server ended before it was %s: %v", what, err)
		case <-deadline:
			t.Fatalf("the auth server is not %s", what)
		case <-tick.C:
		}
	}
}

func (s *authServer) wait() error {
	select {
	case err := <-s.ended:
		return err
	case <-time.After(2 * time.Minute):
		return fmt.Errorf("it does not exit")
	}
}

// context makes oauth2 use a client that trusts the provider.
func (s *authServer) context(t *testing.T) context.Context {
	t.Helper()
	return context.WithValue(t.Context(), oauth2.HTTPClient, s.provider.Client())
}

type lockedBuffer struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (b *lockedBuffer) Write(data []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.Write(data)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.String()
}
