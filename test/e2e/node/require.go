package node

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// AssetsVariable names the folder of the node's binaries and images;
// tools/node/build.sh prints it. ControlPlaneVariable names that of
// kube-apiserver and the others; tools/controlplane/build.sh prints it.
const (
	AssetsVariable       = "SCOPEGATE_NODE"
	ControlPlaneVariable = "KUBEBUILDER_ASSETS"
)

const packages = "containerd runc containernetworking-plugins iptables iproute2 util-linux"

// tools are the commands of the machine that are used, and cniPlugins the files
// in cniFolder.
var (
	tools      = []string{"containerd", "containerd-shim-runc-v2", "ctr", "runc", "iptables", "ip", "unshare", "nsenter", "mount"}
	cniFolders = []string{"/usr/lib/cni", "/opt/cni/bin"}
	cniPlugins = []string{"bridge", "host-local", "loopback"}
)

type assets struct {
	node, controlPlane, cni string
}

func (a assets) kubectl() string           { return filepath.Join(a.controlPlane, "kubectl") }
func (a assets) plane(name string) string  { return filepath.Join(a.controlPlane, name) }
func (a assets) binary(name string) string { return filepath.Join(a.node, "bin", name) }

// Assets is the folder of what tools/node/build.sh has built.
func Assets() string { return os.Getenv(AssetsVariable) }

// errMissing is what Check's errors are: the machine cannot run a node.
var errMissing = errors.New("this machine cannot run a node")

// Check tells everything at once that this machine lacks to run a cluster.
func Check() (assets, error) {
	found := assets{node: os.Getenv(AssetsVariable), controlPlane: os.Getenv(ControlPlaneVariable)}
	if runtime.GOOS != "linux" {
		return found, fmt.Errorf("%w: it needs Linux, and this is %s", errMissing, runtime.GOOS)
	}
	var missing []string
	if os.Geteuid() != 0 {
		missing = append(missing, "root: namespaces, cgroups and mounts need it; run it with sudo -E")
	}
	var commands []string
	for _, tool := range tools {
		if _, err := exec.LookPath(tool); err != nil {
			commands = append(commands, tool)
		}
	}
	if found.cni = cniFolder(); found.cni == "" {
		commands = append(commands, "the CNI plugins "+strings.Join(cniPlugins, ", ")+" in "+strings.Join(cniFolders, " or "))
	}
	if len(commands) > 0 {
		missing = append(missing, strings.Join(commands, ", ")+": on Debian or Ubuntu, apt-get install --no-install-recommends "+packages)
	}
	missing = append(missing, missingFiles(ControlPlaneVariable, "tools/controlplane/build.sh", found.controlPlane,
		"kube-apiserver", "kube-controller-manager", "etcd", "kubectl")...)
	missing = append(missing, missingFiles(AssetsVariable, "tools/node/build.sh", found.node,
		"bin/kubelet", "bin/kube-scheduler", "bin/kube-proxy", "images/pause.tar")...)
	if len(missing) > 0 {
		return found, fmt.Errorf("%w; it lacks\n  - %s", errMissing, strings.Join(missing, "\n  - "))
	}
	return found, nil
}

func cniFolder() string {
	for _, folder := range cniFolders {
		if len(absent(folder, cniPlugins...)) == 0 {
			return folder
		}
	}
	return ""
}

func missingFiles(variable, script, folder string, names ...string) []string {
	if folder == "" {
		return []string{fmt.Sprintf("%s: set it to the folder that %s prints last", variable, script)}
	}
	if lacks := absent(folder, names...); len(lacks) > 0 {
		return []string{fmt.Sprintf("%s in %s=%s: set it to the folder that %s prints last", strings.Join(lacks, ", "), variable, folder, script)}
	}
	return nil
}

func absent(folder string, names ...string) []string {
	var missing []string
	for _, name := range names {
		if _, err := os.Stat(filepath.Join(folder, name)); err != nil {
			missing = append(missing, name)
		}
	}
	return missing
}
