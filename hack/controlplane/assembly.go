package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"
)

// assembly puts the binaries of a control plane into a folder, each as soon as it
// is whole. So an interrupted run leaves nothing that a later one would take for
// complete, and loses no binary.
type assembly struct {
	folder   string
	binaries []binary
	// releases is nil if everything has to be built from source.
	releases *releases
	builder  interface {
		// plan is called first with everything that will be built.
		plan(ctx context.Context, binaries []binary) error
		build(ctx context.Context, b binary, path string) error
	}
	log *log.Logger
}

// run provides what is not there yet.
func (a *assembly) run(ctx context.Context) error {
	missing := a.missing()
	switch {
	case len(missing) == 0:
		return nil
	case a.releases == nil:
		a.log.Print("building from source, as SCOPEGATE_BUILD=1 is set")
	default:
		a.log.Print("taking released binaries where they can be had; SCOPEGATE_BUILD=1 builds all from source instead")
	}
	var unreleased []binary
	for _, b := range missing {
		// etcd's project publishes archives, with all that is not needed here.
		if a.releases == nil || b.name == "etcd" {
			unreleased = append(unreleased, b)
			continue
		}
		if err := a.take(ctx, b); err != nil {
			a.log.Printf("%s %s has to be built from source: %v", b.name, b.version, err)
			unreleased = append(unreleased, b)
		}
	}
	if len(unreleased) == 0 {
		return nil
	}
	if err := a.builder.plan(ctx, unreleased); err != nil {
		return err
	}
	for _, b := range unreleased {
		if err := a.install(b, func(path string) error { return a.builder.build(ctx, b, path) }); err != nil {
			return fmt.Errorf("building %s: %w", b.name, err)
		}
		if err := os.RemoveAll(a.marker(b)); err != nil {
			return err
		}
	}
	return nil
}

// missing are the binaries that are not in the folder as they should be.
func (a *assembly) missing() []binary {
	var missing []binary
	for _, b := range a.binaries {
		_, err := os.Stat(a.marker(b))
		released := err == nil
		if !isExecutable(filepath.Join(a.folder, b.name)) || (released && a.releases == nil) {
			missing = append(missing, b)
		}
	}
	return missing
}

// marker is the file beside a binary that says which release it was taken from. A
// binary that was built has none.
func (a *assembly) marker(b binary) string { return filepath.Join(a.folder, b.name+".released") }

// take installs a binary as it was released.
func (a *assembly) take(ctx context.Context, b binary) error {
	return a.install(b, func(path string) error {
		from, err := a.releases.download(ctx, b, path)
		if err != nil {
			return err
		}
		a.log.Printf("%s %s is taken from %s", b.name, b.version, from)
		return os.WriteFile(a.marker(b), []byte(from+"\n"), 0o600)
	})
}

// install lets make write a binary to a path, and moves it to its place if it
// succeeds.
func (a *assembly) install(b binary, make func(path string) error) error {
	work, err := os.MkdirTemp(a.folder, "."+b.name+"-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(work) }()
	path := filepath.Join(work, b.name)
	if err := make(path); err != nil {
		return err
	}
	if err := os.Chmod(path, 0o755); err != nil { //nolint:gosec // A program.
		return err
	}
	return os.Rename(path, filepath.Join(a.folder, b.name))
}

func isExecutable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}
