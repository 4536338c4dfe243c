// Command controlplane provides the binaries of the control plane that `make run`
// and the tests start: kube-apiserver, kube-controller-manager, kubectl and etcd,
// of the versions that hack/controlplane/pins pins. It keeps them in a per-user cache
// folder, and prints that folder as the last line. All progress goes to standard
// error.
//
// It takes released binaries of Kubernetes where they can be had, checks their SHA-256
// sums, and builds the others, and etcd, from source. Its settings are environment variables:
//
//   - KUBERNETES is the minor version, such as 1.35.
//   - KUBEBUILDER_ASSETS is a folder to use instead, unless KUBERNETES is set.
//   - SCOPEGATE_BUILD=1 builds everything from source.
//   - SCOPEGATE_KUBERNETES_RELEASES is the address of a mirror with the layout of
//     dl.k8s.io/release.
//   - XDG_CACHE_HOME is where caches are, instead of ~/.cache.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"
)

// pins is the folder of the module files that pin the versions, in the repository.
const pins = "hack/controlplane/pins"

// exitInterrupted is the exit code after a signal, as shells have it.
const exitInterrupted = 130

func main() {
	logger := log.New(os.Stderr, "controlplane: ", 0)
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	folder, err := run(ctx, logger)
	interrupted := ctx.Err() != nil
	cancel()
	switch {
	case err != nil && interrupted:
		logger.Print("interrupted; what is done so far is kept, run it again to go on")
		os.Exit(exitInterrupted)
	case err != nil:
		logger.Print(err)
		os.Exit(1)
	}
	fmt.Println(folder)
}

// run provides the binaries and returns their folder.
func run(ctx context.Context, logger *log.Logger) (string, error) {
	minor, assets := os.Getenv("KUBERNETES"), os.Getenv("KUBEBUILDER_ASSETS")
	if assets != "" && minor == "" {
		return assets, checkAssets(assets)
	}
	pinned, err := readPins(ctx, pins, minor)
	if err != nil {
		return "", err
	}
	folder, err := cacheFolder(pinned.key)
	if err != nil {
		return "", err
	}
	a := &assembly{
		folder: folder, binaries: pinned.binaries, log: logger,
		builder: &builder{module: pins, log: logger},
	}
	if os.Getenv("SCOPEGATE_BUILD") != "1" {
		if a.releases, err = newReleases(runtime.GOOS + "/" + runtime.GOARCH); err != nil {
			return "", err
		}
	}
	return folder, a.run(ctx)
}

// checkAssets reports what a folder that the user named lacks.
func checkAssets(folder string) error {
	for _, name := range []string{"kube-apiserver", "etcd", "kubectl"} {
		if !isExecutable(filepath.Join(folder, name)) {
			return fmt.Errorf("KUBEBUILDER_ASSETS is %s, which has no executable %s; unset it to get the pinned one", folder, name)
		}
	}
	return nil
}

// cacheFolder makes the folder of the binaries with a key.
func cacheFolder(key string) (string, error) {
	root := os.Getenv("XDG_CACHE_HOME")
	if root == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", errors.Join(err, errors.New("set XDG_CACHE_HOME to a folder that you can write to"))
		}
		root = filepath.Join(home, ".cache")
	}
	folder, err := filepath.Abs(filepath.Join(root, "scopegate", "controlplane", key))
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(folder, 0o755); err != nil { //nolint:gosec // Nothing in it is secret, and others may run it.
		return "", fmt.Errorf("%w; set XDG_CACHE_HOME to a folder that you can write to", err)
	}
	return folder, nil
}
