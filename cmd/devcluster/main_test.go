package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/internal/testing/testenv"
)

const (
	runMain = "DEVCLUSTER_TEST_MAIN"
	samples = "../../config/samples"
)

func TestMain(m *testing.M) {
	if os.Getenv(runMain) != "" {
		main()
		os.Exit(0)
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
				"THE GUARD", "serverside-applied", "=> The policies are in force.", "denied request", "=> The Deployment has its pod.",
				"=> The new ReplicaSet is empty", "ReplicaFailure", "=> The new ReplicaSet has its pod now.", "All 7 steps succeeded.",
				"STANDALONE MODE", "is not in scopesSupported", `did you mean "offline_access"?`, "=> Nothing was created", "=> The run config",
				"=> The Deployment is unchanged", "=> Each ReplicaSet", "=> Every baseline is supported", "All 8 steps succeeded.",
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
			command := exec.CommandContext(t.Context(), os.Args[0], "--samples", samples) //nolint:gosec // Itself.
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

func TestParse(t *testing.T) {
	tests := map[string]struct {
		args []string
		want options
		err  string
	}{
		"all": {
			args: []string{"--exit", "--samples=" + samples, "--metrics-bind-address", "127.0.0.1:8080"},
			want: options{exit: true, samples: samples, metricsAddr: "127.0.0.1:8080"},
		},
		"one part":     {args: []string{"--guard", "--samples=" + samples}, want: options{guard: true, samples: samples, metricsAddr: "0"}},
		"unknown flag": {args: []string{"--exot"}, err: "flag provided but not defined: -exot; see --help for the flags"},
		"argument":     {args: []string{"--samples=" + samples, "now"}, err: `unexpected argument "now"; see --help for the flags`},
		"elsewhere": {err: "no sample manifests: stat config/samples/mistakes: no such file or directory; " +
			"run this in the root folder of the repository, or set --samples"},
		"help": {args: []string{"--help"}, err: "help"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var help strings.Builder
			got, err := parse(test.args, console{&help})
			message := ""
			if err != nil {
				message = err.Error()
			}
			if diff := cmp.Diff(test.err, message); diff != "" {
				t.Fatalf("error (-want +got):\n%s", diff)
			}
			if err == nil && got != test.want {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
			if name == "help" && !strings.Contains(help.String(), "-metrics-bind-address") {
				t.Errorf("the help does not name the flags:\n%s", &help)
			}
		})
	}
}

// TestStepsFail checks that a walk ends at the first step that fails, with the
// output in the error.
func TestStepsFail(t *testing.T) {
	refusal := &exec.ExitError{}
	tests := map[string]struct {
		command command
		stdout  string
		stderr  string
		err     error
		want    string
	}{
		"expected":         {command: command{says: []string{"created", "warned"}}, stdout: "created", stderr: "warned"},
		"expected failure": {command: command{refused: true, says: []string{"invalid"}}, stderr: "invalid", err: refusal},
		"refused": {stderr: "no such host", err: refusal,
			want: `step 1 (test): kubectl apply -f 'a b': <nil>, want success; output: no such host`},
		"not refused": {command: command{refused: true}, stdout: "created",
			want: `step 1 (test): kubectl apply -f 'a b': want failure, but it succeeded; output: created`},
		"another text": {command: command{says: []string{"created"}}, stdout: "unchanged",
			want: `step 1 (test): kubectl apply -f 'a b': want "created" in the output; output: unchanged`},
		"no kubectl": {err: exec.ErrNotFound,
			want: `step 1 (test): kubectl apply -f 'a b': executable file not found in $PATH`},
		"a check": {command: command{check: func(context.Context, *walk) (string, error) { return "", errors.New("a pod crashes") }},
			want: `step 1 (test): kubectl apply -f 'a b': a pod crashes`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			calls := 0
			walk := &walk{out: console{io.Discard}, kubectl: func(context.Context, io.Reader, ...string) (string, string, error) {
				calls++
				return test.stdout, test.stderr, test.err
			}}
			test.command.args = []string{"apply", "-f", "a b"}
			err := walk.run(t.Context(), []step{{name: "test", commands: []command{test.command}}})
			message := ""
			if err != nil {
				message = err.Error()
			}
			// An exit error's process state can't be constructed by hand.
			expect.Equal(t, "error", test.want, strings.Replace(message, refusal.Error(), "<nil>", 1))
			if calls != 1 {
				t.Errorf("%d calls, want 1", calls)
			}
		})
	}
}

// TestInterruptedStep checks that an interruption is not reported as a failed
// step.
func TestInterruptedStep(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("the manager ended")
	walk := &walk{out: console{io.Discard}, kubectl: func(context.Context, io.Reader, ...string) (string, string, error) {
		cancel(cause)
		return "", "", &exec.ExitError{}
	}}
	if err := walk.run(ctx, standaloneSteps("")); !errors.Is(err, cause) {
		t.Errorf("got %v, want %v", err, cause)
	}
}
