package main

import (
	"bufio"
	"context"
	"fmt"
	"log"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"time"
)

// builder builds binaries from source by the go command, one after the other.
type builder struct {
	// module is the folder of the module files.
	module string
	log    *log.Logger

	// packages are those to compile, of all binaries; compiled are those that are.
	packages, compiled int
	// binaries are those to build; done are those that are.
	binaries, done int
	reported       time.Time
}

// plan counts what has to be compiled.
func (b *builder) plan(ctx context.Context, binaries []binary) error {
	b.log.Print("reading the sources, and downloading what is missing of them")
	b.binaries = len(binaries)
	counted := map[string]bool{}
	for _, binary := range binaries {
		command := b.command(ctx, "list", "-modfile="+binary.modfile, "-deps", "-trimpath", "-f", "{{if .Stale}}{{.ImportPath}}{{end}}", binary.pkg)
		list, err := output(command)
		if err != nil {
			return err
		}
		for _, pkg := range strings.Fields(list) {
			if key := binary.modfile + " " + pkg; !counted[key] {
				counted[key] = true
				b.packages++
			}
		}
	}
	return nil
}

// packagePath is a line that go build -v prints when it compiles a package.
var packagePath = regexp.MustCompile(`^[A-Za-z0-9._~/-]+$`)

// build builds a binary, and says from time to time how far it is.
func (b *builder) build(ctx context.Context, binary binary, path string) error {
	start := time.Now()
	b.say(binary)
	command := b.command(ctx, "build", "-v", "-modfile="+binary.modfile, "-trimpath", "-ldflags="+ldflags(binary.version), "-o", path, binary.pkg)
	stderr, err := command.StderrPipe()
	if err != nil {
		return err
	}
	if err := command.Start(); err != nil {
		return err
	}
	for lines := bufio.NewScanner(stderr); lines.Scan(); {
		line := lines.Text()
		if !packagePath.MatchString(line) {
			b.log.Print(line)
			continue
		}
		b.compiled++
		if time.Since(b.reported) > interval {
			b.say(binary)
		}
	}
	if err := command.Wait(); err != nil {
		return err
	}
	b.done++
	state := command.ProcessState
	b.log.Printf("%s %s was built from source in %s, %s of processor time", binary.name, binary.version,
		time.Since(start).Round(time.Second), (state.UserTime() + state.SystemTime()).Round(time.Second))
	return nil
}

// interval is how often build says how far it is.
const interval = 30 * time.Second

func (b *builder) say(binary binary) {
	b.reported = time.Now()
	b.log.Printf("building %s %s, %d of %d: %d of %d packages are compiled", binary.name, binary.version, b.done+1, b.binaries, b.compiled, b.packages)
}

// command is the go command in the folder of the module files.
func (b *builder) command(ctx context.Context, arguments ...string) *exec.Cmd {
	command := exec.CommandContext(ctx, "go", arguments...)
	command.Dir = b.module
	command.Env = append(os.Environ(), "CGO_ENABLED=0")
	// It ends by itself, and keeps what it has compiled.
	command.Cancel = func() error { return command.Process.Signal(os.Interrupt) }
	return command
}

// ldflags stamp a version of Kubernetes into its binaries; etcd ignores them.
func ldflags(version string) string {
	const stamp = "k8s.io/component-base/version."
	major, minor, _ := strings.Cut(minorOf(version), ".")
	return fmt.Sprintf("-s -w -X %[1]sgitVersion=%[2]s -X %[1]sgitMajor=%[3]s -X %[1]sgitMinor=%[4]s", stamp, version, major, minor)
}
