package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/scopegate/scopegate/internal/testing/expect"
)

// The paths below the addresses of what is released.
const (
	kubectlPath = "/v1.35.4/bin/linux/amd64/kubectl"
	etcdPath    = "/v3.7.3/etcd-v3.7.3-linux-amd64.tar.gz"
	etcdSums    = "/v3.7.3/SHA256SUMS"
)

var (
	kubectlBinary = binary{name: "kubectl", version: "v1.35.4"}
	etcdBinary    = binary{name: "etcd", version: "v3.7.3"}
)

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

func archive(t *testing.T, name, content string) []byte {
	t.Helper()
	var buffer bytes.Buffer
	zipped := gzip.NewWriter(&buffer)
	entries := tar.NewWriter(zipped)
	for _, entry := range [][2]string{{"README.md", "read me"}, {name, content}, {"etcdctl", "another"}} {
		expect.NoError(t, entries.WriteHeader(&tar.Header{Name: entry[0], Size: int64(len(entry[1])), Mode: 0o755}))
		if _, err := entries.Write([]byte(entry[1])); err != nil {
			t.Fatal(err)
		}
	}
	expect.NoError(t, entries.Close())
	expect.NoError(t, zipped.Close())
	return buffer.Bytes()
}

// release returns what the projects publish for the binaries of these tests.
func release(t *testing.T) published {
	t.Helper()
	kubectl, etcd := []byte("kubectl as released"), archive(t, "etcd-v3.7.3-linux-amd64/etcd", "etcd as released")
	return published{
		kubectlPath:             kubectl,
		kubectlPath + ".sha256": []byte(sumOf(kubectl)),
		etcdPath:                etcd,
		etcdSums:                fmt.Appendf(nil, "%s  etcd-v3.7.3-darwin-amd64.zip\n%s  etcd-v3.7.3-linux-amd64.tar.gz\n", sumOf(nil), sumOf(etcd)),
	}
}

func serve(t *testing.T, handler http.Handler) *releases {
	t.Helper()
	server := httptest.NewUnstartedServer(handler)
	server.Config.ErrorLog = discarded
	server.StartTLS()
	t.Cleanup(server.Close)
	client := server.Client()
	client.CheckRedirect = stayEncrypted
	return &releases{
		client: client, platform: "linux/amd64", kubernetes: server.URL, etcd: server.URL,
		unreachable: map[string]error{},
	}
}

func TestDownload(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		binary binary
		change func(published)
		// want is the content, or part of the error.
		want, wantErr string
		from          string
	}{
		"a binary": {
			binary: kubectlBinary, want: "kubectl as released",
			from: kubectlPath + ", its SHA-256 sum is the one that is published there",
		},
		"a binary in an archive": {
			binary: etcdBinary, want: "etcd as released",
			from: etcdPath + ", its SHA-256 sum is the one that is published there",
		},
		"another published sum": {
			binary: kubectlBinary, change: func(p published) { p[kubectlPath+".sha256"] = []byte(sumOf(nil)) },
			wantErr: "kubectl has the SHA-256 sum " + sumOf([]byte("kubectl as released")) + ", and the sum published there is " + sumOf(nil),
		},
		"an archive with another sum": {
			binary: etcdBinary, change: func(p published) { p[etcdPath] = archive(t, "etcd-v3.7.3-linux-amd64/etcd", "changed") },
			wantErr: ".tar.gz has the SHA-256 sum",
		},
		"no sum": {
			binary: kubectlBinary, change: func(p published) { delete(p, kubectlPath+".sha256") },
			wantErr: kubectlPath + ".sha256 is not published",
		},
		"a page instead of a sum": {
			binary: kubectlBinary, change: func(p published) { p[kubectlPath+".sha256"] = []byte("<html>please log in</html>") },
			wantErr: kubectlPath + ".sha256: no sum of kubectl is in it",
		},
		"sums without that of the archive": {
			binary: etcdBinary, change: func(p published) { p[etcdSums] = []byte(sumOf(nil) + "  another.tar.gz\n") },
			wantErr: "SHA256SUMS: no sum of etcd-v3.7.3-linux-amd64.tar.gz is in it",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			content := release(t)
			if test.change != nil {
				test.change(content)
			}
			r := serve(t, content)
			path := filepath.Join(t.TempDir(), test.binary.name)
			from, err := r.download(t.Context(), test.binary, path)
			if test.wantErr != "" {
				expect.Error(t, err, test.wantErr)
				return
			}
			expect.NoError(t, err)
			if got, err := os.ReadFile(path); err != nil || string(got) != test.want { //nolint:gosec // The test's own file.
				t.Errorf("got %q, %v, want %q", got, err, test.want)
			}
			if !strings.HasPrefix(from, "https://127.0.0.1:") || !strings.Contains(from, test.from) {
				t.Errorf("it says that it is from %s, want %s", from, test.from)
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
