package node

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// AssetsVariable names the folder of the node's binaries and images;
// hack/node/build.sh prints it. ControlPlaneVariable names that of
// kube-apiserver and the others; hack/controlplane/build.sh prints it.
const (
	AssetsVariable       = "SCOPEGATE_NODE"
	ControlPlaneVariable = "KUBEBUILDER_ASSETS"
)

const packages = "containerd runc containernetworking-plugins iptables iproute2 util-linux"

// tools are the commands of the machine that are used, and cniPlugins the files
// in one of cniFolders.
var (
	tools      = []string{"containerd", "containerd-shim-runc-v2", "ctr", "runc", "iptables", "ip", "unshare", "nsenter", "mount"}
	cniFolders = []string{"/usr/lib/cni", "/opt/cni/bin"}
	cniPlugins = []string{"bridge", "host-local", "loopback"}
)

type assets struct {
	node, controlPlane, cni string
}

func (a assets) plane(name string) string  { return filepath.Join(a.controlPlane, name) }
func (a assets) binary(name string) string { return filepath.Join(a.node, "bin", name) }

// CheckMachine returns an error with everything that this machine lacks to run
// a cluster, except what is built here.
func CheckMachine() error { return lacking(missingOfMachine()) }

// check also looks for what is built here.
func check() (assets, error) {
	found := assets{node: os.Getenv(AssetsVariable), controlPlane: os.Getenv(ControlPlaneVariable), cni: cniFolder()}
	missing := missingOfMachine()
	if found.controlPlane == "" {
		missing = append(missing, ControlPlaneVariable+": set it to the folder that hack/controlplane/build.sh prints last")
	}
	if found.node == "" {
		missing = append(missing, AssetsVariable+": set it to the folder that hack/node/build.sh prints last")
	}
	return found, lacking(missing)
}

func lacking(missing []string) error {
	if len(missing) == 0 {
		return nil
	}
	return fmt.Errorf("this machine cannot run a cluster; it lacks\n  - %s", strings.Join(missing, "\n  - "))
}

func missingOfMachine() []string {
	if runtime.GOOS != "linux" {
		return []string{"Linux: this is " + runtime.GOOS}
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
	if cniFolder() == "" {
		commands = append(commands, "the CNI plugins "+strings.Join(cniPlugins, ", ")+" in "+strings.Join(cniFolders, " or "))
	}
	if len(commands) > 0 {
		missing = append(missing, strings.Join(commands, ", ")+": on Debian or Ubuntu, apt-get install --no-install-recommends "+packages)
	}
	return missing
}

func cniFolder() string {
	for _, folder := range cniFolders {
		lacks := func(plugin string) bool {
			_, err := os.Stat(filepath.Join(folder, plugin))
			return err != nil
		}
		if !slices.ContainsFunc(cniPlugins, lacks) {
			return folder
		}
	}
	return ""
}
