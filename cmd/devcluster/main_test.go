package main

import (
	"bufio"
	"bytes"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/scopegate/scopegate/internal/testing/expect"
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

// TestInterrupted runs the command itself, on a real control plane, and ends it
// by a signal.
func TestInterrupted(t *testing.T) {
	tests := map[string]struct {
		// until is the line of the output at which signal is sent.
		until  string
		signal os.Signal
		want   int
		// says has to be in the output, in this order.
		says []string
	}{
		"live": {
			until: "VirtualMCPServer mcp-demo/office Ready=False BaselineScopesValid=True RollingOut", signal: os.Interrupt, want: 0,
			says: []string{
				"is not in scopesSupported", `did you mean "offline_access"?`, "=> Nothing was made", "=> The run config",
				"=> The Deployment is untouched", "=> Each ReplicaSet", "=> Every baseline is supported", "All 8 steps did what they say.",
				"export KUBECONFIG=",
			},
		},
		"while it starts": {
			until: "Starting", signal: syscall.SIGTERM, want: exitInterrupted,
			says: []string{"Starting", "Ending", "interrupted before the walk was done"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			temporary := t.TempDir()
			command := exec.CommandContext(t.Context(), os.Args[0], "--samples", samples) //nolint:gosec // Itself.
			command.Env = append(os.Environ(), runMain+"=1", "TMPDIR="+temporary)
			var stderr bytes.Buffer
			command.Stderr = &stderr
			pipe, err := command.StdoutPipe()
			expect.NoError(t, err)
			expect.NoError(t, command.Start())
			// A hang fails the test and not the whole run.
			timer := time.AfterFunc(2*time.Minute, func() { _ = command.Process.Signal(syscall.SIGTERM) })
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
					t.Errorf("no %q in the output, in its place", text)
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
		t.Log("no ps here, so processes that are left are not looked for")
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
		"unknown flag": {args: []string{"--exot"}, err: "flag provided but not defined: -exot; see --help for the flags"},
		"argument":     {args: []string{"--samples=" + samples, "now"}, err: `unexpected argument "now"; see --help for the flags`},
		"elsewhere": {err: "no samples to walk through: stat config/samples/mistakes: no such file or directory; " +
			"run this in the folder of the repository, or name theirs by --samples"},
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
