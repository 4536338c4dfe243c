package main

import (
	"bufio"
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/internal/testing/testenv"
)

const runMain = "DEVCLUSTER_TEST_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(runMain) != "" {
		main()
	}
	os.Exit(m.Run())
}

// TestInterrupted runs the command on a real control plane and stops it with a
// signal.
func TestInterrupted(t *testing.T) {
	tests := map[string]struct {
		// until is the prefix of the output line after which signal is sent.
		until  string
		signal os.Signal
		want   int
		// says are texts that the output must contain, in this order.
		says []string
	}{
		"live": {
			until: "NAMESPACE ", signal: os.Interrupt, want: 0,
			says: []string{
				"THE GUARD", "serverside-applied", "=> The policies are in force.", "denied request", "=> The Deployment is created.",
				"deployment.apps/weather condition met", "ReplicaFailure", ": 0 pods", "All 7 steps succeeded.",
				"STANDALONE MODE", "is not in scopesSupported", `did you mean "offline_access"?`, "No resources found", `"baseline_client_scopes":["openid","offline_access"]`,
				"Deployment, generation 1", `"scopes_supported":["openid","profile",`, "All 8 steps succeeded.",
				"export KUBECONFIG=", "VirtualMCPServer/office",
			},
		},
		"while it starts": {
			until: "Starting", signal: syscall.SIGTERM, want: exitInterrupted,
			says: []string{"Starting", "Stopping", "interrupted before the last step was done"},
		},
	}
	plugin := t.TempDir()
	expect.NoError(t, testenv.Build(t.Context(), "github.com/scopegate/scopegate/cmd/kubectl-scopegate", filepath.Join(plugin, "kubectl-scopegate")))
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			temporary := t.TempDir()
			command := exec.CommandContext(t.Context(), os.Args[0]) //nolint:gosec // Itself.
			command.Dir = "../.."
			command.Env = append(os.Environ(), runMain+"=1", "TMPDIR="+temporary, "PATH="+plugin+string(os.PathListSeparator)+os.Getenv("PATH"))
			var stderr bytes.Buffer
			command.Stderr = &stderr
			pipe, err := command.StdoutPipe()
			expect.NoError(t, err)
			expect.NoError(t, command.Start())
			// A hang fails this test instead of the whole test run.
			timer := time.AfterFunc(10*time.Minute, func() { _ = command.Process.Signal(syscall.SIGTERM) })
			defer timer.Stop()

			var output strings.Builder
			signalled := false
			for lines := bufio.NewScanner(pipe); lines.Scan(); {
				output.WriteString(lines.Text() + "\n")
				if !signalled && strings.HasPrefix(lines.Text(), test.until) {
					signalled = true
					expect.NoError(t, command.Process.Signal(test.signal))
				}
			}
			_ = command.Wait()
			output.Write(stderr.Bytes())
			if got := command.ProcessState.ExitCode(); got != test.want {
				t.Errorf("exit code %d, want %d", got, test.want)
			}
			rest := output.String()
			for _, text := range test.says {
				_, after, found := strings.Cut(rest, text)
				if !found {
					t.Errorf("the output does not contain %q in its place", text)
				}
				rest = after
			}
			if left, err := os.ReadDir(temporary); err != nil || len(left) > 0 {
				t.Errorf("temporary files are left: %v %v", left, err)
			}
			if left := processesIn(t, temporary); len(left) > 0 {
				t.Errorf("processes are left: %v", left)
			}
			if t.Failed() {
				t.Logf("output:\n%s", output.String())
			}
		})
	}
}

func processesIn(t *testing.T, folder string) []string {
	t.Helper()
	if _, err := exec.LookPath("ps"); err != nil {
		t.Log("ps is not installed, so the test does not look for leftover processes")
		return nil
	}
	list, err := exec.CommandContext(t.Context(), "ps", "-eo", "pid,args").Output()
	if err != nil {
		t.Fatalf("listing processes: %v", err)
	}
	return regexp.MustCompile("(?m)^.*"+regexp.QuoteMeta(folder)+".*$").FindAllString(string(list), -1)
}
