package main

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/scopegate/scopegate/internal/testing/expect"
)

// kubectlPath is below the address of what is released.
const kubectlPath = "/v1.35.4/bin/linux/amd64/kubectl"

var kubectlBinary = binary{name: "kubectl", version: "v1.35.4"}

type published map[string][]byte

func (p published) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	content, ok := p[request.URL.Path]
	if !ok {
		http.NotFound(w, request)
		return
	}
	_, _ = w.Write(content)
}

func sumOf(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

// release returns what is published.
func release() published {
	kubectl := []byte("kubectl as released")
	return published{kubectlPath: kubectl, kubectlPath + ".sha256": []byte(sumOf(kubectl) + "\n")}
}

func serve(t *testing.T, handler http.Handler) *releases {
	t.Helper()
	server := httptest.NewUnstartedServer(handler)
	server.Config.ErrorLog = discarded
	server.StartTLS()
	t.Cleanup(server.Close)
	client := server.Client()
	client.CheckRedirect = stayEncrypted
	return &releases{client: client, platform: "linux/amd64", address: server.URL}
}

func TestDownload(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change  func(published)
		wantErr string
	}{
		"a binary": {func(published) {}, ""},
		"another sum": {
			func(p published) { p[kubectlPath+".sha256"] = []byte(sumOf(nil)) },
			"kubectl has the SHA-256 sum " + sumOf([]byte("kubectl as released")) + ", and the sum published there is " + sumOf(nil),
		},
		"no sum":                  {func(p published) { delete(p, kubectlPath+".sha256") }, kubectlPath + ".sha256 is not published"},
		"a page instead of a sum": {func(p published) { p[kubectlPath+".sha256"] = []byte("<html>please log in</html>") }, kubectlPath + ".sha256: it is no sum"},
		"half a sum":              {func(p published) { p[kubectlPath+".sha256"] = []byte(sumOf(nil)[:32]) }, kubectlPath + ".sha256: it is no sum"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			content := release()
			test.change(content)
			path := filepath.Join(t.TempDir(), "kubectl")
			from, err := serve(t, content).download(t.Context(), kubectlBinary, path)
			if test.wantErr != "" {
				expect.Error(t, err, test.wantErr)
				return
			}
			expect.NoError(t, err)
			expect.Equal(t, "content", "kubectl as released", expect.ReadFile(t, path))
			if want := kubectlPath + ", its SHA-256 sum is the one that is published there"; !strings.HasPrefix(from, "https://127.0.0.1:") || !strings.Contains(from, want) {
				t.Errorf("it says that it is from %s, want %s", from, want)
			}
		})
	}
}

// TestConnection covers the ways in which a connection can fail.
func TestConnection(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		serve    http.HandlerFunc
		wantErr  string
		requests int
	}{
		"it is cut": {func(w http.ResponseWriter, request *http.Request) {
			if strings.HasSuffix(request.URL.Path, ".sha256") {
				_, _ = w.Write([]byte(sumOf([]byte("the first part"))))
				return
			}
			w.Header().Set("Content-Length", "1000")
			_, _ = w.Write([]byte("the first part"))
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}, kubectlPath + ": unexpected EOF", 4},
		"it leads to where nothing is encrypted": {func(w http.ResponseWriter, request *http.Request) {
			http.Redirect(w, request, "http://127.0.0.1:1/kubectl", http.StatusFound)
		}, "redirected to http://127.0.0.1:1/kubectl, which is not https", 1},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var requests atomic.Int32
			r := serve(t, http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
				requests.Add(1)
				test.serve(w, request)
			}))
			for range 2 {
				_, err := r.download(t.Context(), kubectlBinary, filepath.Join(t.TempDir(), "kubectl"))
				expect.Error(t, err, test.wantErr)
			}
			if got := int(requests.Load()); got != test.requests {
				t.Errorf("the server got %d requests, want %d", got, test.requests)
			}
		})
	}
}
