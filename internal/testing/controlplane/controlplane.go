// Package controlplane starts a real kube-apiserver and etcd on this machine, and
// optionally kube-controller-manager, with scopegate's manifests installed. The
// development cluster and the tests use it.
package controlplane

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/scopegate/scopegate/config"
	"github.com/scopegate/scopegate/internal/operator"
)

// AssetsVariable is the environment variable with the folder of the binaries,
// which `make controlplane` prints.
const AssetsVariable = "KUBEBUILDER_ASSETS"

// Namespace is the namespace that scopegate is installed in.
const Namespace = "scopegate-system"

// The users of scopegate's manager in a cluster.
const (
	standaloneUser = "system:serviceaccount:" + Namespace + ":scopegate"
	guardUser      = "system:serviceaccount:" + Namespace + ":scopegate-guard"
)

// startTimeout limits the start of each process and the installation of the CRDs.
// They take seconds, but longer on a busy machine.
const startTimeout = 2 * time.Minute

// stopTimeout limits the shutdown of kube-apiserver. It takes a second, but
// longer on a busy machine.
const stopTimeout = 30 * time.Second

// ownGroup shields a process from Ctrl-C in a terminal, so that only its parent
// stops it. envtest does the same.
var ownGroup = &syscall.SysProcAttr{Setpgid: true}

// Options select what to start.
type Options struct {
	// Controllers are those that kube-controller-manager runs, if any.
	Controllers string
	// Guard installs the manifests and policies of guard mode instead of those of
	// standalone mode.
	Guard bool
	// Bare installs nothing.
	Bare bool
	// CRDs replace scopegate's own. An empty list that is not nil installs none.
	CRDs []*apiextensionsv1.CustomResourceDefinition
	// APIServerArgs are flags of kube-apiserver, by name without dashes.
	APIServerArgs map[string]string
	// Output receives the output of the processes, if not nil.
	Output io.Writer
}

// Controllers of kube-controller-manager: Garbage deletes the children of deleted
// objects, Workloads also makes ReplicaSets and pods.
const (
	Garbage   = "garbage-collector-controller"
	Workloads = "deployment-controller,replicaset-controller," + Garbage
)

// ControlPlane is a running control plane.
type ControlPlane struct {
	// Config connects as an administrator.
	Config *rest.Config
	// Kubeconfig is the path of a kubeconfig file for the same user.
	Kubeconfig string
	// KubectlPath is the path of kubectl.
	KubectlPath string

	user        string
	environment *envtest.Environment
	manager     *exec.Cmd
	folder      string
}

// Start starts a control plane and installs scopegate's CRDs, namespace and RBAC.
// The caller must call Stop, also after ctx is done.
func Start(ctx context.Context, options Options) (started *ControlPlane, err error) {
	assets := os.Getenv(AssetsVariable)
	if assets == "" {
		return nil, fmt.Errorf("%s is not set: run `make controlplane` and set it to the folder in the last line of its output", AssetsVariable)
	}
	binaries := []string{"kube-apiserver", "etcd", "kubectl"}
	if options.Controllers != "" {
		binaries = append(binaries, "kube-controller-manager")
	}
	for _, name := range binaries {
		if _, err := os.Stat(filepath.Join(assets, name)); err != nil {
			return nil, fmt.Errorf("no %s in %s=%s: run `make controlplane` and set it to the folder in the last line of its output", name, AssetsVariable, assets)
		}
	}
	crds := options.CRDs
	if crds == nil && !options.Bare {
		if crds, err = config.CRDs(); err != nil {
			return nil, err
		}
	}
	folder, err := os.MkdirTemp("", "scopegate-")
	if err != nil {
		return nil, fmt.Errorf("creating a folder for the control plane: %w; set TMPDIR to a writable folder", err)
	}
	c := &ControlPlane{
		Kubeconfig:  filepath.Join(folder, "kubeconfig"),
		KubectlPath: filepath.Join(assets, "kubectl"),
		folder:      folder,
		environment: &envtest.Environment{
			BinaryAssetsDirectory: assets, CRDs: crds, ControlPlaneStopTimeout: stopTimeout,
			ControlPlaneStartTimeout: startTimeout, CRDInstallOptions: envtest.CRDInstallOptions{MaxTime: startTimeout},
			// Never use the user's cluster, whatever the environment says.
			UseExistingCluster: ptr.To(false),
		},
	}
	// envtest's own range has 254 addresses; the Services of a run would use them
	// up.
	arguments := c.environment.ControlPlane.GetAPIServer().Configure().Set("service-cluster-ip-range", "10.16.0.0/12")
	// On shutdown, kube-apiserver closes open watches only if this period is set.
	// Otherwise it waits for them for a minute, as for any request.
	arguments.Set("shutdown-watch-termination-grace-period", "1s")
	for name, value := range options.APIServerArgs {
		arguments.Set(name, value)
	}
	if c.Config, err = c.environment.Start(); err != nil {
		// The start may have failed after the processes started.
		return nil, errors.Join(fmt.Errorf("starting the control plane: %w", err), c.Stop())
	}
	c.Config.QPS = -1
	defer func() {
		if err != nil {
			err = errors.Join(err, c.Stop())
		}
	}()
	if err := os.WriteFile(c.Kubeconfig, c.environment.KubeConfig, 0o600); err != nil {
		return nil, fmt.Errorf("writing the kubeconfig: %w", err)
	}
	folders := []string{"standalone/manager", "standalone/rbac"}
	c.user = standaloneUser
	if options.Guard {
		folders = []string{"guard/manager", "guard/canary", "guard/rbac", "guard/policies"}
		c.user = guardUser
	}
	if !options.Bare {
		if err := c.install(ctx, folders); err != nil {
			return nil, err
		}
	}
	if options.Controllers != "" {
		if err := c.StartControllers(options.Controllers, options.Output); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// install creates the objects in folders: the namespaces, the RBAC of scopegate's
// manager, and in guard mode the policies.
func (c *ControlPlane) install(ctx context.Context, folders []string) error {
	admin, err := client.New(c.Config, client.Options{Scheme: operator.Scheme})
	if err != nil {
		return fmt.Errorf("reaching the control plane: %w", err)
	}
	for _, folder := range folders {
		objects, err := config.Objects(folder)
		if err != nil {
			return err
		}
		for _, object := range objects {
			if err := admin.Create(ctx, object); err != nil {
				return fmt.Errorf("creating %s %s: %w", object.GetKind(), object.GetName(), err)
			}
		}
	}
	return nil
}

// StartControllers starts kube-controller-manager with some controllers, which are
// separated by commas. The garbage collector takes up to half a minute to see a CRD that is
// installed later. output may be nil.
func (c *ControlPlane) StartControllers(controllers string, output io.Writer) error {
	c.manager = exec.Command(filepath.Join(filepath.Dir(c.KubectlPath), "kube-controller-manager"), //nolint:gosec // The pinned binary.
		"--kubeconfig="+c.Kubeconfig,
		"--controllers="+controllers,
		"--leader-elect=false",
		"--secure-port=0",
		"--concurrent-gc-syncs=4",
		// As everywhere in scopegate, API Priority and Fairness is the limit.
		"--kube-api-qps=-1",
	)
	c.manager.Stdout, c.manager.Stderr = output, output
	c.manager.SysProcAttr = ownGroup
	if err := c.manager.Start(); err != nil {
		return fmt.Errorf("starting kube-controller-manager: %w", err)
	}
	return nil
}

// ManagerConfig connects as scopegate's manager does in a cluster, with only the
// permissions of its service account.
func (c *ControlPlane) ManagerConfig() *rest.Config {
	cfg := rest.CopyConfig(c.Config)
	cfg.Impersonate = rest.ImpersonationConfig{
		UserName: c.user,
		Groups:   []string{"system:serviceaccounts", "system:serviceaccounts:" + Namespace, "system:authenticated"},
	}
	return cfg
}

// Kubectl runs kubectl as an administrator and returns its output.
func (c *ControlPlane) Kubectl(ctx context.Context, stdin io.Reader, arguments ...string) (stdout, stderr string, err error) {
	command := exec.CommandContext(ctx, c.KubectlPath, arguments...) //nolint:gosec // The pinned binary.
	command.Env = append(os.Environ(), "KUBECONFIG="+c.Kubeconfig,
		// Do not read or write the user's home directory.
		"KUBECTL_KUBERC=false", "KUBECACHEDIR="+filepath.Join(c.folder, "kubectl-cache"))
	var out, errs bytes.Buffer
	command.Stdin, command.Stdout, command.Stderr = stdin, &out, &errs
	command.SysProcAttr = ownGroup
	err = command.Run()
	return out.String(), errs.String(), err
}

// Stop stops all processes and removes their files.
func (c *ControlPlane) Stop() error {
	var errs []error
	if c.manager != nil {
		// It has nothing to save.
		errs = append(errs, c.manager.Process.Kill())
		_ = c.manager.Wait()
	}
	return errors.Join(append(errs, c.environment.Stop(), os.RemoveAll(c.folder))...)
}

// Quote returns the arguments of a command as they are written in a shell.
func Quote(arguments []string) string {
	quoted := slices.Clone(arguments)
	for i, argument := range arguments {
		if argument == "" || strings.ContainsAny(argument, " \t\n\"'`$&|;<>(){}[]*?!#~\\") {
			quoted[i] = "'" + strings.ReplaceAll(argument, "'", `'\''`) + "'"
		}
	}
	return strings.Join(quoted, " ")
}
