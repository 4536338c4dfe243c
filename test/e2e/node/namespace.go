package node

import (
	"bufio"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

//go:embed init.sh
var initScript string

// namespace is the network, mount and process namespaces of a node, which end
// with their first process.
type namespace struct {
	unshare *exec.Cmd
	done    chan struct{}
	pid     int
}

// enter makes the namespaces, and the link through which they are reached.
func enter(ctx context.Context, folder string, address addresses) (*namespace, error) {
	arguments := []string{"--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--propagation", "private"}
	command := exec.Command("unshare", append(arguments, "bash", "-c", initScript, "init", folder)...) //nolint:gosec // Our own script.
	command.Stderr = os.Stderr
	ready, err := command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	// It dies with this process in any case. Only this process handles Ctrl-C
	// in a terminal.
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	space := &namespace{unshare: command, done: make(chan struct{})}
	if err := startBound(command, space.done); err != nil {
		return nil, fmt.Errorf("making namespaces: %w", err)
	}
	if line, err := bufio.NewReader(ready).ReadString('\n'); err != nil || line != "ready\n" {
		return nil, errors.Join(fmt.Errorf("the mounts of the namespaces failed: %w", err), space.stop())
	}
	if space.pid, err = onlyChild(command.Process.Pid); err != nil {
		return nil, errors.Join(err, space.stop())
	}
	if err := address.link(ctx, space.pid); err != nil {
		return nil, errors.Join(err, space.stop())
	}
	return space, nil
}

// startBound starts a command from a thread that lives as long as the command
// does, because the kernel sends Pdeathsig when the thread ends, not the
// process.
func startBound(command *exec.Cmd, done chan<- struct{}) error {
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(done)
		err := command.Start()
		started <- err
		if err == nil {
			// Its exit status does not matter, because it is killed.
			_ = command.Wait()
		}
	}()
	return <-started
}

func (n *namespace) stop() error {
	if n.pid != 0 {
		_ = syscall.Kill(n.pid, syscall.SIGKILL)
	}
	_ = n.unshare.Process.Kill()
	select {
	case <-n.done:
		return nil
	case <-time.After(30 * time.Second):
		return errors.New("the namespaces do not end")
	}
}

func (n *namespace) command(ctx context.Context, program string, arguments ...string) *exec.Cmd {
	nsenter := []string{"--target", strconv.Itoa(n.pid), "--net", "--mount", "--pid", "--", program}
	command := exec.CommandContext(ctx, "nsenter", append(nsenter, arguments...)...) //nolint:gosec // Our own programs.
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return command
}

// onlyChild returns the process that a process has started.
func onlyChild(pid int) (int, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil {
		return 0, err
	}
	child, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return 0, fmt.Errorf("process %d has %q for children, want one", pid, text)
	}
	return child, nil
}

// addresses are the addresses of one cluster. Several clusters can be up at the
// same time.
type addresses struct {
	// Node is the node's address and Host the machine's, on the link between them.
	Node, Host string
	// Link is the name of the machine's end.
	Link string
}

const (
	podRange     = "10.88.0.0/16"
	serviceRange = "10.0.0.0/16"
)

// freeAddresses finds a link that no other cluster has, and takes it.
func freeAddresses() (addresses, error) {
	for number := range 200 {
		found := addresses{
			Node: fmt.Sprintf("10.200.%d.1", number), Host: fmt.Sprintf("10.200.%d.2", number), Link: fmt.Sprintf("scopegate%d", number),
		}
		if _, err := os.Stat(filepath.Join("/sys/class/net", found.Link)); err != nil {
			return found, nil
		}
	}
	return addresses{}, errors.New("every link scopegate0 to scopegate199 exists; remove those that no cluster uses with ip link delete")
}

// unlink removes the link. Otherwise it would disappear a moment after the
// namespaces.
func (a addresses) unlink() error {
	output, err := exec.Command("ip", "link", "delete", a.Link).CombinedOutput() //nolint:gosec // Our own link.
	if _, there := os.Stat(filepath.Join("/sys/class/net", a.Link)); err != nil && there == nil {
		return fmt.Errorf("removing the link %s: %w: %s", a.Link, err, output)
	}
	return nil
}

func (a addresses) link(ctx context.Context, pid int) error {
	inside := strconv.Itoa(pid)
	steps := [][]string{
		{"ip", "link", "add", a.Link, "type", "veth", "peer", "name", "eth0", "netns", inside},
		{"ip", "address", "add", a.Host + "/24", "dev", a.Link},
		{"ip", "link", "set", a.Link, "up"},
		{"nsenter", "--target", inside, "--net", "ip", "address", "add", a.Node + "/24", "dev", "eth0"},
		{"nsenter", "--target", inside, "--net", "ip", "link", "set", "eth0", "up"},
		// A Service's address is translated after a route to it is found. Nothing
		// else leads outside.
		{"nsenter", "--target", inside, "--net", "ip", "route", "add", serviceRange, "via", a.Host},
	}
	for _, step := range steps {
		if output, err := exec.CommandContext(ctx, step[0], step[1:]...).CombinedOutput(); err != nil { //nolint:gosec // Our own steps.
			return fmt.Errorf("%s: %w: %s", strings.Join(step, " "), err, output)
		}
	}
	return nil
}
