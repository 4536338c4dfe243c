package main

import (
	"archive/tar"
	"bufio"
	"cmp"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"
)

// patience is how long an address may take to answer.
const patience = 5 * time.Second

// releases takes binaries from where their projects publish them.
type releases struct {
	client *http.Client
	// platform is such as linux/amd64.
	platform string
	// kubernetes and etcd are addresses, without a slash at the end.
	kubernetes, etcd string
	// unreachable are addresses that gave no answer: they are not asked again.
	unreachable map[string]error
}

// newReleases reads the addresses from the environment.
func newReleases(platform string) (*releases, error) {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DialContext = (&net.Dialer{Timeout: patience}).DialContext
	transport.ResponseHeaderTimeout = patience
	r := &releases{
		client:     &http.Client{CheckRedirect: stayEncrypted, Transport: transport, Timeout: 10 * time.Minute},
		platform:   platform,
		kubernetes: "https://dl.k8s.io/release", etcd: "https://github.com/etcd-io/etcd/releases/download",
		unreachable: map[string]error{},
	}
	for name, address := range map[string]*string{"SCOPEGATE_KUBERNETES_RELEASES": &r.kubernetes, "SCOPEGATE_ETCD_RELEASES": &r.etcd} {
		if value := os.Getenv(name); value != "" {
			*address = strings.TrimSuffix(value, "/")
		}
		if !strings.HasPrefix(*address, "https://") {
			return nil, fmt.Errorf("%s is %q, which does not start with https://", name, *address)
		}
	}
	return r, nil
}

// stayEncrypted refuses redirects to where the connection is not encrypted.
func stayEncrypted(request *http.Request, via []*http.Request) error {
	switch {
	case request.URL.Scheme != "https":
		return fmt.Errorf("redirected to %s, which is not https", request.URL)
	case len(via) == 10:
		return errors.New("redirected too often")
	}
	return nil
}

// download puts a released binary at a path, and says where it is from and which
// sum it was checked against.
func (r *releases) download(ctx context.Context, b binary, to string) (from string, err error) {
	if b.name != "etcd" {
		file := path.Join(b.version, "bin", r.platform, b.name)
		return r.checked(ctx, r.kubernetes, file, file+".sha256", to)
	}
	folder := fmt.Sprintf("etcd-%s-%s", b.version, strings.ReplaceAll(r.platform, "/", "-"))
	archive := to + ".tar.gz"
	from, err = r.checked(ctx, r.etcd, path.Join(b.version, folder+".tar.gz"), path.Join(b.version, "SHA256SUMS"), archive)
	if err != nil {
		return "", err
	}
	return from, extract(archive, path.Join(folder, "etcd"), to)
}

// checked downloads a file below an address, and compares it with its sum in the
// published file of sums.
func (r *releases) checked(ctx context.Context, address, file, sums, to string) (from string, err error) {
	want, err := r.published(ctx, address, file, sums)
	if err != nil {
		return "", err
	}
	out, err := os.Create(to) //nolint:gosec // A path of our own.
	if err != nil {
		return "", err
	}
	defer func() { _ = out.Close() }()
	hash := sha256.New()
	err = r.get(ctx, address, file, func(body io.Reader) error {
		_, err := io.Copy(io.MultiWriter(out, hash), body)
		return err
	})
	if err != nil {
		return "", err
	}
	if got := hex.EncodeToString(hash.Sum(nil)); got != want {
		return "", fmt.Errorf("%s/%s has the SHA-256 sum %s, and the sum published there is %s", address, file, got, want)
	}
	return fmt.Sprintf("%s/%s, its SHA-256 sum is the one that is published there", address, file), out.Close()
}

// published returns the sum of a file from the file of sums beside it.
func (r *releases) published(ctx context.Context, address, file, sums string) (want string, err error) {
	const limit = 1 << 20
	err = r.get(ctx, address, sums, func(body io.Reader) error {
		all, err := readSums(io.LimitReader(body, limit))
		if err != nil {
			return err
		}
		// dl.k8s.io publishes the bare sum.
		if want = cmp.Or(all[path.Base(file)], all[""]); want == "" {
			return fmt.Errorf("no sum of %s is in it", path.Base(file))
		}
		return nil
	})
	return want, err
}

// readSums reads what sha256sum writes, or a bare sum, whose name is "".
func readSums(from io.Reader) (map[string]string, error) {
	sums := map[string]string{}
	lines := bufio.NewScanner(from)
	for lines.Scan() {
		sum, name, _ := strings.Cut(strings.TrimSpace(lines.Text()), " ")
		if decoded, err := hex.DecodeString(sum); err == nil && len(decoded) == sha256.Size {
			sums[strings.TrimLeft(name, " *")] = strings.ToLower(sum)
		}
	}
	return sums, lines.Err()
}

// get reads a file below an address.
func (r *releases) get(ctx context.Context, address, file string, read func(io.Reader) error) error {
	if err := r.unreachable[address]; err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address+"/"+file, http.NoBody)
	if err != nil {
		return err
	}
	response, err := r.client.Do(request)
	if err != nil {
		if wrapped := (*url.Error)(nil); errors.As(err, &wrapped) {
			err = wrapped.Err
		}
		r.unreachable[address] = fmt.Errorf("%s can't be reached: %w", address, err)
		return r.unreachable[address]
	}
	defer func() { _ = response.Body.Close() }()
	switch response.StatusCode {
	case http.StatusOK:
	case http.StatusNotFound:
		return fmt.Errorf("%s/%s is not published", address, file)
	default:
		return fmt.Errorf("%s/%s: %s", address, file, response.Status)
	}
	if err := read(response.Body); err != nil {
		return fmt.Errorf("%s/%s: %w", address, file, err)
	}
	return nil
}

// extract takes one file out of an archive.
func extract(archive, name, to string) error {
	file, err := os.Open(archive) //nolint:gosec // Just downloaded and checked.
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	unzipped, err := gzip.NewReader(file)
	if err != nil {
		return fmt.Errorf("%s: %w", filepath.Base(archive), err)
	}
	for entries := tar.NewReader(unzipped); ; {
		header, err := entries.Next()
		if err != nil {
			return fmt.Errorf("looking for %s in %s: %w", name, filepath.Base(archive), err)
		}
		if header.Name != name {
			continue
		}
		out, err := os.Create(to) //nolint:gosec // A path of our own.
		if err != nil {
			return err
		}
		_, err = io.Copy(out, entries) //nolint:gosec // The archive is what its project published.
		return errors.Join(err, out.Close())
	}
}
