package main

import (
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
	"strings"
	"time"
)

// patience is how long an address may take to answer.
const patience = 5 * time.Second

// releases takes the binaries of Kubernetes from where it publishes them.
type releases struct {
	client *http.Client
	// platform is such as linux/amd64.
	platform string
	// address has no slash at the end.
	address string
	// unreachable is why the address gave no answer: it is not asked again.
	unreachable error
}

// newReleases reads the address from the environment.
func newReleases(platform string) (*releases, error) {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DialContext = (&net.Dialer{Timeout: patience}).DialContext
	transport.ResponseHeaderTimeout = patience
	r := &releases{
		client:   &http.Client{CheckRedirect: stayEncrypted, Transport: transport, Timeout: 10 * time.Minute},
		platform: platform,
		address:  "https://dl.k8s.io/release",
	}
	const name = "SCOPEGATE_KUBERNETES_RELEASES"
	if value := os.Getenv(name); value != "" {
		r.address = strings.TrimSuffix(value, "/")
	}
	if !strings.HasPrefix(r.address, "https://") {
		return nil, fmt.Errorf("%s is %q, which does not start with https://", name, r.address)
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

// download puts a released binary at a path, if it has the sum that is published beside
// it, and says where it is from.
func (r *releases) download(ctx context.Context, b binary, to string) (from string, err error) {
	file := path.Join(b.version, "bin", r.platform, b.name)
	want, err := r.published(ctx, file+".sha256")
	if err != nil {
		return "", err
	}
	out, err := os.Create(to) //nolint:gosec // A path of our own.
	if err != nil {
		return "", err
	}
	defer func() { _ = out.Close() }()
	hash := sha256.New()
	err = r.get(ctx, file, func(body io.Reader) error {
		_, err := io.Copy(io.MultiWriter(out, hash), body)
		return err
	})
	if err != nil {
		return "", err
	}
	if got := hex.EncodeToString(hash.Sum(nil)); got != want {
		return "", fmt.Errorf("%s/%s has the SHA-256 sum %s, and the sum published there is %s", r.address, file, got, want)
	}
	return fmt.Sprintf("%s/%s, its SHA-256 sum is the one that is published there", r.address, file), out.Close()
}

// published reads a published sum.
func (r *releases) published(ctx context.Context, file string) (sum string, err error) {
	err = r.get(ctx, file, func(body io.Reader) error {
		text, err := io.ReadAll(io.LimitReader(body, 2*sha256.Size+1))
		if err != nil {
			return err
		}
		sum = strings.ToLower(strings.TrimSpace(string(text)))
		if decoded, err := hex.DecodeString(sum); err != nil || len(decoded) != sha256.Size {
			return errors.New("it is no sum")
		}
		return nil
	})
	return sum, err
}

// get reads a file below the address.
func (r *releases) get(ctx context.Context, file string, read func(io.Reader) error) error {
	if r.unreachable != nil {
		return r.unreachable
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, r.address+"/"+file, http.NoBody)
	if err != nil {
		return err
	}
	response, err := r.client.Do(request)
	if err != nil {
		if wrapped := (*url.Error)(nil); errors.As(err, &wrapped) {
			err = wrapped.Err
		}
		r.unreachable = fmt.Errorf("%s can't be reached: %w", r.address, err)
		return r.unreachable
	}
	defer func() { _ = response.Body.Close() }()
	switch response.StatusCode {
	case http.StatusOK:
	case http.StatusNotFound:
		return fmt.Errorf("%s/%s is not published", r.address, file)
	default:
		return fmt.Errorf("%s/%s: %s", r.address, file, response.Status)
	}
	if err := read(response.Body); err != nil {
		return fmt.Errorf("%s/%s: %w", r.address, file, err)
	}
	return nil
}
