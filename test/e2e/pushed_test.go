//go:build e2e

package e2e

import (
	"context"
	"net"
	"os/exec"
	"regexp"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
)

func pull(s *scenario) {
	listener, err := net.Listen("tcp", net.JoinHostPort(s.node.HostAddress(), "0"))
	s.must(err)
	address := listener.Addr().String()
	s.must(listener.Close())
	ctx, stop := context.WithCancel(ctx)
	crane, err := exec.CommandContext(ctx, "go", "tool", "-modfile=hack/release/go.mod", "-n", "crane").Output()
	s.must(err)
	registry := exec.CommandContext(ctx, strings.TrimSpace(string(crane)), "registry", "serve", "--address", address) //nolint:gosec // A pinned tool.
	s.must(registry.Start())
	defer func() {
		stop()
		_ = registry.Wait() // It was killed.
	}()
	s.must(wait.PollUntilContextTimeout(ctx, 100*time.Millisecond, time.Minute, true, func(ctx context.Context) (bool, error) {
		connection, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
		if err != nil {
			return false, nil // It does not listen yet.
		}
		return true, connection.Close()
	}))
	push := exec.CommandContext(ctx, "go", "run", ".", "push", "--from", "../../bin/images", "--to", address+"/team", "--version", "v1.2.3", "manager") //nolint:gosec // Our own program.
	push.Dir = "hack/image"
	output, err := push.Output()
	s.must(err)
	reference := strings.TrimSpace(string(output))
	if !regexp.MustCompile(`/team/scopegate-manager@sha256:[0-9a-f]{64}$`).MatchString(reference) {
		s.Fatalf("push printed %q", reference)
	}
	s.must(s.node.Pull(ctx, reference))
	other := reference[:len(reference)-8] + "00000000"
	if err := s.node.Pull(ctx, other); err == nil {
		s.Errorf("containerd pulled %s, which does not exist", other)
	}
}
