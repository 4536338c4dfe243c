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
	"testing"

	"github.com/zitadel/oidc/v3/example/server/exampleop"
	"github.com/zitadel/oidc/v3/example/server/storage"
	"golang.org/x/oauth2"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/util/keyutil"

	"github.com/scopegate/scopegate/api/v1alpha1"
	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/config"
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
	process  *testenv.Process
}

// startAuthServer renders the run config of a consumer as the operator does. It
// starts the binary with that run config and with the files and variables of the
// pod.
func startAuthServer(t *testing.T, manifests, kind, name string) *authServer {
	t.Helper()
	address := testenv.FreeAddress(t)
	server := &authServer{issuer: "http://" + address}
	server.provider = startProvider(t, server.issuer+"/oauth/callback")
	runConfig := server.render(t, manifests, kind, name)

	folder := t.TempDir()
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.provider.Certificate().Raw})
	key := func() []byte {
		key, err := keyutil.MakeEllipticPrivateKeyPEM()
		expect.NoError(t, err)
		return key
	}
	for name, content := range map[string][]byte{
		"keys/key-0.pem": key(), "keys/key-1.pem": key(),
		"hmac/hmac-0": bytes.Repeat([]byte{7}, 32), "upstream-ca/0/ca.crt": ca,
		// The run config has the pod's paths; in this test the files are
		// elsewhere.
		"run.json": []byte(strings.ReplaceAll(runConfig, mounts, folder)),
	} {
		file := filepath.Join(folder, name)
		expect.NoError(t, os.MkdirAll(filepath.Dir(file), 0o700))
		expect.NoError(t, os.WriteFile(file, content, 0o600))
	}
	command := exec.Command(binary, "--config", filepath.Join(folder, "run.json"), "--listen", address, "--shutdown-delay", "5s") //nolint:gosec,noctx // Under test.
	command.Env = append(os.Environ(), "TOOLHIVE_UPSTREAM_CLIENT_SECRET_COMPANY="+upstreamSecret)
	server.process = testenv.StartCommand(t, command)
	server.awaitStatus(t, http.StatusOK)
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
	scheme := runtime.NewScheme()
	expect.NoError(t, v1beta1.AddToScheme(scheme))
	var consumer resolve.Consumer
	configs := map[string]*v1beta1.MCPExternalAuthConfig{}
	for _, file := range files {
		objects, err := config.Decode([]byte(expect.ReadFile(t, file)))
		expect.NoError(t, err)
		for _, object := range objects {
			typed, err := scheme.New(object.GroupVersionKind())
			if err != nil {
				continue // Not one of the kinds, such as a Secret.
			}
			expect.NoError(t, runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(object.Object, typed, true))
			if config, ok := typed.(*v1beta1.MCPExternalAuthConfig); ok {
				configs[config.Name] = config
			} else if found, ok := resolve.ConsumerOf(typed); ok && found.Kind == kind && found.Name == name {
				consumer = found
			}
		}
	}
	if consumer.Name == "" {
		t.Fatalf("no %s %q in %s", kind, name, manifests)
	}
	return consumer, configs
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

// awaitStatus waits until the auth server answers /readyz with a status.
func (s *authServer) awaitStatus(t *testing.T, want int) {
	t.Helper()
	expect.Eventually(t, fmt.Sprintf("/readyz answers %d", want), func(ctx context.Context) (bool, error) {
		status, _, err := testenv.Fetch(ctx, s.issuer+"/readyz", "")
		return err == nil && status == want, nil
	}, s.process.Logs)
}

// context makes oauth2 use a client that trusts the provider.
func (s *authServer) context(t *testing.T) context.Context {
	t.Helper()
	return context.WithValue(t.Context(), oauth2.HTTPClient, s.provider.Client())
}
