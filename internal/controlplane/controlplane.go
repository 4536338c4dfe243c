// Package controlplane starts a real kube-apiserver and etcd on this machine,
// and on request kube-controller-manager, with scopegate's manifests installed:
// for the development cluster and for the tests.
package controlplane

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/scopegate/scopegate/config"
	"github.com/scopegate/scopegate/internal/operator"
)

// AssetsVariable names the folder of the binaries; `make controlplane` prints
// it.
const AssetsVariable = "KUBEBUILDER_ASSETS"

// Namespace is where scopegate is installed.
const Namespace = "scopegate-system"

// The users that scopegate's manager is in a cluster.
const (
	standaloneUser = "system:serviceaccount:" + Namespace + ":scopegate"
	guardUser      = "system:serviceaccount:" + Namespace + ":scopegate-guard"
)

// startTimeout is how long each of the processes may take, and the CRDs: seconds,
// but on a machine that does much else.
const startTimeout = 2 * time.Minute

// stopTimeout is how long kube-apiserver may take to end: a second, but on a
// machine that does much else.
const stopTimeout = 30 * time.Second

// ownGroup keeps Ctrl-C in a terminal from a process: whoever started it ends
// it. envtest does the same.
var ownGroup = &syscall.SysProcAttr{Setpgid: true}

// Options are what to start.
type Options struct {
	// ControllerManager starts kube-controller-manager too, for ReplicaSets, Pods
	// and garbage collection.
	ControllerManager bool
	// GarbageCollector starts kube-controller-manager with that controller alone.
	GarbageCollector bool
	// Guard installs what guard mode needs, and its policies, instead of standalone
	// mode's.
	Guard bool
	// Bare installs nothing at all.
	Bare bool
	// CRDs are installed instead of scopegate's own; empty but not nil for none.
	CRDs []*apiextensionsv1.CustomResourceDefinition
	// APIServerArgs are flags of kube-apiserver, by name without dashes.
	APIServerArgs map[string]string
	// Output gets what the processes print, if not nil.
	Output io.Writer
}

// controllers are those of kube-controller-manager that are started.
func (o Options) controllers() string {
	switch {
	case o.ControllerManager:
		return "deployment-controller,replicaset-controller,garbage-collector-controller"
	case o.GarbageCollector:
		return "garbage-collector-controller"
	default:
		return ""
	}
}

// ControlPlane is a running control plane.
type ControlPlane struct {
	// Config reaches it as an administrator.
	Config *rest.Config
	// Kubeconfig is the path of a file that does the same.
	Kubeconfig string
	// KubectlPath is the path of kubectl.
	KubectlPath string

	user        string
	environment *envtest.Environment
	manager     *exec.Cmd
	folder      string
}

// Start starts a control plane and installs the CRDs, the namespace and the
// RBAC of scopegate. Whoever starts it must call Stop, also after ctx is done.
func Start(ctx context.Context, options Options) (started *ControlPlane, err error) {
	assets := os.Getenv(AssetsVariable)
	if assets == "" {
		return nil, fmt.Errorf("%s is not set: run `make controlplane` and set it to the folder that it prints last", AssetsVariable)
	}
	binaries := []string{"kube-apiserver", "etcd", "kubectl"}
	controllers := options.controllers()
	if controllers != "" {
		binaries = append(binaries, "kube-controller-manager")
	}
	for _, name := range binaries {
		if _, err := os.Stat(filepath.Join(assets, name)); err != nil {
			return nil, fmt.Errorf("no %s in %s=%s: run `make controlplane` and set it to the folder that it prints last", name, AssetsVariable, assets)
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
		return nil, fmt.Errorf("making a folder for the control plane: %w; set TMPDIR to a folder that you can write to", err)
	}
	c := &ControlPlane{
		Kubeconfig:  filepath.Join(folder, "kubeconfig"),
		KubectlPath: filepath.Join(assets, "kubectl"),
		folder:      folder,
		environment: &envtest.Environment{
			BinaryAssetsDirectory: assets, CRDs: crds, ControlPlaneStopTimeout: stopTimeout,
			ControlPlaneStartTimeout: startTimeout, CRDInstallOptions: envtest.CRDInstallOptions{MaxTime: startTimeout},
			// Never the cluster of the user, whatever the environment says.
			UseExistingCluster: ptr.To(false),
		},
	}
	// envtest's own range has 254 addresses: Services of a run would use them up.
	arguments := c.environment.ControlPlane.GetAPIServer().Configure().Set("service-cluster-ip-range", "10.16.0.0/12")
	// When it ends, kube-apiserver ends open watches only if it is given a time for
	// it. Otherwise it waits for them, as long as for any request: a minute.
	arguments.Set("shutdown-watch-termination-grace-period", "1s")
	for name, value := range options.APIServerArgs {
		arguments.Set(name, value)
	}
	if c.Config, err = c.environment.Start(); err != nil {
		// It may have failed after its processes were up.
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
	folders := []string{"manager", "rbac"}
	c.user = standaloneUser
	if options.Guard {
		folders = []string{"guard/manager", "guard/rbac", "guard/policies", "guard/hold"}
		c.user = guardUser
	}
	if !options.Bare {
		if err := c.install(ctx, folders); err != nil {
			return nil, err
		}
	}
	if controllers != "" {
		if err := c.startControllerManager(assets, controllers, options.Output); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// install creates what is in folders: the namespace, the RBAC that scopegate's
// manager runs under, and in guard mode the policies. Before Kubernetes 1.36 there is
// nothing that can hold.
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
			err := admin.Create(ctx, object)
			if meta.IsNoMatchError(err) && strings.HasPrefix(object.GetKind(), "Mutating") {
				continue
			}
			if err != nil {
				return fmt.Errorf("creating %s %s: %w", object.GetKind(), object.GetName(), err)
			}
		}
	}
	return nil
}

func (c *ControlPlane) startControllerManager(assets, controllers string, output io.Writer) error {
	c.manager = exec.Command(filepath.Join(assets, "kube-controller-manager"), //nolint:gosec // The pinned binary.
		"--kubeconfig="+c.Kubeconfig,
		"--controllers="+controllers,
		"--leader-elect=false",
		"--secure-port=0",
		"--concurrent-gc-syncs=4",
		// As everywhere here, API Priority and Fairness is the limit.
		"--kube-api-qps=-1",
	)
	c.manager.Stdout, c.manager.Stderr = output, output
	c.manager.SysProcAttr = ownGroup
	if err := c.manager.Start(); err != nil {
		return fmt.Errorf("starting kube-controller-manager: %w", err)
	}
	return nil
}

// ManagerConfig reaches the control plane as scopegate's manager does in a
// cluster, with the rights of its service account and no more.
func (c *ControlPlane) ManagerConfig() *rest.Config {
	cfg := rest.CopyConfig(c.Config)
	cfg.Impersonate = rest.ImpersonationConfig{
		UserName: c.user,
		Groups:   []string{"system:serviceaccounts", "system:serviceaccounts:" + Namespace, "system:authenticated"},
	}
	return cfg
}

// Kubectl runs kubectl as an administrator and returns what it prints.
func (c *ControlPlane) Kubectl(ctx context.Context, stdin io.Reader, arguments ...string) (stdout, stderr string, err error) {
	command := exec.CommandContext(ctx, c.KubectlPath, arguments...) //nolint:gosec // The pinned binary.
	command.Env = append(os.Environ(), "KUBECONFIG="+c.Kubeconfig,
		// Nothing of the user's home is read or written.
		"KUBECTL_KUBERC=false", "KUBECACHEDIR="+filepath.Join(c.folder, "kubectl-cache"))
	var out, errs writer
	command.Stdin, command.Stdout, command.Stderr = stdin, &out, &errs
	command.SysProcAttr = ownGroup
	err = command.Run()
	return string(out), string(errs), err
}

type writer []byte

func (w *writer) Write(data []byte) (int, error) {
	*w = append(*w, data...)
	return len(data), nil
}

// Stop ends all processes and removes their files.
func (c *ControlPlane) Stop() error {
	var errs []error
	if c.manager != nil {
		// It has nothing to save.
		errs = append(errs, c.manager.Process.Kill())
		_ = c.manager.Wait()
	}
	return errors.Join(append(errs, c.environment.Stop(), os.RemoveAll(c.folder))...)
}
