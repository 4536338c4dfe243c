// Package setup gives tests the files that users apply, and installs them as
// users do.
package setup

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/scopegate/scopegate/config"
	"github.com/scopegate/scopegate/internal/testing/controlplane"
)

// Root is the repository, from the folder of any suite.
const Root = "../../.."

// Version and Registry are of the images in what is rendered here.
const (
	Version  = "v1.2.3"
	Registry = "registry.example.com/team"
)

// Tool runs a tool of hack/release in the repository and returns what it prints.
func Tool(ctx context.Context, name string, arguments ...string) ([]byte, error) {
	path, err := ToolPath(name)
	if err != nil {
		return nil, err
	}
	return run(ctx, nil, path, arguments...)
}

var (
	toolsMu sync.Mutex
	tools   = map[string]string{}
)

// ToolPath returns the path of a tool of hack/release, which it builds if it must. Asking
// go takes longer than most tools do, so it asks once for each.
func ToolPath(name string) (string, error) {
	toolsMu.Lock()
	defer toolsMu.Unlock()
	if tools[name] == "" {
		path, err := run(context.Background(), nil, "go", "tool", "-C", "hack/release", "-n", name)
		if err != nil {
			return "", err
		}
		tools[name] = strings.TrimSpace(string(path))
	}
	return tools[name], nil
}

// Dist writes the manifests of `make dist` into a folder. Variables, such as MODE=strict,
// replace the defaults.
func Dist(ctx context.Context, folder string, variables ...string) error {
	_, err := run(ctx, append([]string{"VERSION=" + Version, "REGISTRY=" + Registry, "OUT=" + folder}, variables...), "hack/dist.sh")
	return err
}

// Chart writes the chart of `make release` into a folder that does not exist yet.
func Chart(ctx context.Context, folder string, variables ...string) error {
	_, err := run(ctx, append([]string{"VERSION=" + Version, "REGISTRY=" + Registry}, variables...), "hack/chart.sh", folder)
	return err
}

// Release writes what `make release` does into a folder, and pushes it if REGISTRY is one
// of the variables.
func Release(ctx context.Context, folder string, variables ...string) error {
	_, err := run(ctx, append([]string{"OUT=" + folder}, variables...), "hack/release.sh")
	return err
}

// BuildManager builds the manager with Version, as `make image` does, so that the policies
// of Dist are of its release.
func BuildManager(ctx context.Context, path string) error {
	_, err := run(ctx, nil, "go", "build", "-ldflags=-s -w -X github.com/scopegate/scopegate/internal/versions.version="+Version, "-o", path, "./cmd/manager")
	return err
}

func run(ctx context.Context, environment []string, name string, arguments ...string) ([]byte, error) {
	command := exec.CommandContext(ctx, name, arguments...)
	command.Dir = Root
	command.Env = append(os.Environ(), environment...)
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	if err := command.Run(); err != nil {
		return nil, fmt.Errorf("%s %v: %w\n%s%s", name, arguments, err, &stdout, &stderr)
	}
	return stdout.Bytes(), nil
}

// DecodeFile returns the objects of a manifest.
func DecodeFile(path string) ([]*unstructured.Unstructured, error) {
	text, err := os.ReadFile(path) //nolint:gosec // A file that a test made.
	if err != nil {
		return nil, err
	}
	return config.Decode(text)
}

// Kubectl runs kubectl, which must not fail, and returns what it prints.
func Kubectl(ctx context.Context, plane *controlplane.ControlPlane, arguments ...string) (string, error) {
	stdout, stderr, err := plane.Kubectl(ctx, nil, arguments...)
	if err != nil {
		return "", fmt.Errorf("kubectl %v: %w\n%s%s", arguments, err, stdout, stderr)
	}
	return stdout, nil
}
