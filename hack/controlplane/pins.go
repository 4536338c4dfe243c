package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// binary is a program of the control plane.
type binary struct {
	name string
	// version is that of its project, such as v1.35.4.
	version string
	// pkg is the package that it is built from, in the module of modfile.
	pkg, modfile string
}

// pinned is what the module files say of one control plane.
type pinned struct {
	// key names it in the cache: it changes with the versions and the sums.
	key string
	// binaries are in the order in which they are provided: etcd builds fastest, and
	// kube-controller-manager is started last.
	binaries []binary
}

// defaultModfile pins etcd, and the Kubernetes that is used if no other is asked
// for. The other minors have files of their own, 1.35.mod for example.
const defaultModfile = "go.mod"

// readPins reads from a folder what is pinned for a minor of Kubernetes, or by
// default.
func readPins(ctx context.Context, folder, minor string) (*pinned, error) {
	modfile := defaultModfile
	kubernetes, err := moduleVersion(ctx, folder, modfile, "k8s.io/kubernetes")
	if err != nil {
		return nil, err
	}
	etcd, err := moduleVersion(ctx, folder, modfile, "go.etcd.io/etcd/server/v3")
	if err != nil {
		return nil, err
	}
	sums, suffix := "go.sum", ""
	if byDefault := minorOf(kubernetes); minor != "" && minor != byDefault {
		modfile, sums = minor+".mod", minor+".sum"
		others, err := filepath.Glob(filepath.Join(folder, "*.*.mod"))
		if err != nil {
			return nil, err
		}
		if !slices.Contains(others, filepath.Join(folder, modfile)) {
			supported := []string{byDefault}
			for _, other := range others {
				supported = append(supported, strings.TrimSuffix(filepath.Base(other), ".mod"))
			}
			slices.Sort(supported)
			return nil, fmt.Errorf("KUBERNETES is %q; choose one of %s", minor, strings.Join(supported, ", "))
		}
		if kubernetes, err = moduleVersion(ctx, folder, modfile, "k8s.io/kubernetes"); err != nil {
			return nil, err
		}
		// The sums of that file do not change with etcd.
		suffix = "-etcd-" + etcd
	}
	sum, err := output(exec.CommandContext(ctx, "git", "hash-object", filepath.Join(folder, sums))) //nolint:gosec // Our own file.
	if err != nil {
		return nil, err
	}
	const short = 12
	p := &pinned{
		key:      fmt.Sprintf("%s-%.*s%s", kubernetes, short, sum, suffix),
		binaries: []binary{{name: "etcd", version: etcd, pkg: "./etcd", modfile: defaultModfile}},
	}
	for _, name := range []string{"kubectl", "kube-apiserver", "kube-controller-manager"} {
		p.binaries = append(p.binaries, binary{name: name, version: kubernetes, pkg: "k8s.io/kubernetes/cmd/" + name, modfile: modfile})
	}
	return p, nil
}

// moduleVersion reads the version of a required module from a module file.
func moduleVersion(ctx context.Context, folder, modfile, module string) (string, error) {
	text, err := output(exec.CommandContext(ctx, "go", "mod", "edit", "-json", filepath.Join(folder, modfile))) //nolint:gosec // Our own file.
	if err != nil {
		return "", err
	}
	var file struct {
		Require []struct{ Path, Version string }
	}
	if err := json.Unmarshal([]byte(text), &file); err != nil {
		return "", err
	}
	for _, required := range file.Require {
		if required.Path == module {
			return required.Version, nil
		}
	}
	return "", fmt.Errorf("%s does not require %s", filepath.Join(folder, modfile), module)
}

// minorOf is 1.35 of v1.35.4.
func minorOf(version string) string {
	major, rest, _ := strings.Cut(strings.TrimPrefix(version, "v"), ".")
	minor, _, _ := strings.Cut(rest, ".")
	return major + "." + minor
}

// output runs a command and returns what it prints, without the last line break.
func output(command *exec.Cmd) (string, error) {
	text, err := command.Output()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		_, _ = os.Stderr.Write(exit.Stderr)
	}
	if err != nil {
		return "", fmt.Errorf("%s: %w", strings.Join(command.Args, " "), err)
	}
	return strings.TrimSpace(string(text)), nil
}
