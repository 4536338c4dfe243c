//go:build e2e

package e2e

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/internal/operator"
	"github.com/scopegate/scopegate/internal/testing/controlplane"
	"github.com/scopegate/scopegate/test/e2e/node"
)

type cluster struct {
	// node is nil if the tests did not start the cluster, and so is http, which reaches
	// Services by URLs such as http://NAME.NAMESPACE:PORT.
	node        *node.Cluster
	http        *http.Client
	client      client.WithWatch
	clientset   *kubernetes.Clientset
	kubectlPath string
	// context is the name of the context in the kubeconfig.
	context string
}

var started *cluster

var start = sync.OnceValues(func() (*cluster, error) {
	find := connect
	if os.Getenv("KUBECONFIG") == "" && os.Getenv("CONTEXT") == "" {
		find = startNode
	}
	c, config, err := find()
	started = c
	if err != nil {
		return nil, err
	}
	config.QPS = -1
	// Many edits here are bad ones.
	config.WarningHandler = rest.NoWarnings{}
	if c.client, err = client.NewWithWatch(config, client.Options{Scheme: operator.Scheme}); err != nil {
		return nil, err
	}
	c.clientset, err = kubernetes.NewForConfig(config)
	return c, err
})

func startNode() (*cluster, *rest.Config, error) {
	own, err := node.Start(ctx, node.ToolHiveImages())
	if err != nil {
		return nil, nil, err
	}
	c := &cluster{node: own, http: own.HTTPClient(), kubectlPath: own.KubectlPath, context: node.Context}
	// kubectl writes nothing to the user's home.
	return c, own.Config, errors.Join(os.Setenv("KUBECONFIG", own.Kubeconfig), os.Setenv("KUBECACHEDIR", filepath.Join(own.Folder, "kubectl-cache")))
}

// connect connects to the cluster of a context of the user's kubeconfig. Many
// shells always set KUBECONFIG, which must not lead to a cluster that matters.
// If the context is neither of kind nor of `make e2e-up`, CONTEXT has to name
// it.
func connect() (*cluster, *rest.Config, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	kubeconfig, err := rules.Load()
	if err != nil {
		return nil, nil, err
	}
	name := cmp.Or(os.Getenv("CONTEXT"), kubeconfig.CurrentContext)
	config, err := clientcmd.NewNonInteractiveClientConfig(*kubeconfig, name, nil, rules).ClientConfig()
	if err != nil {
		return nil, nil, err
	}
	if os.Getenv("CONTEXT") == "" && name != node.Context && !strings.HasPrefix(name, "kind-") {
		return nil, nil, fmt.Errorf("KUBECONFIG is set, and its current context %q leads to %s: the tests install and remove CRDs, policies and namespaces there. If that is meant, name it: CONTEXT=%s. If not, unset KUBECONFIG: they then start a cluster of one node on this machine", name, config.Host, name)
	}
	fmt.Printf("The tests run on context %q, %s\n", name, config.Host)
	kubectl, err := exec.LookPath(filepath.Join(os.Getenv(node.ControlPlaneVariable), "kubectl"))
	if err != nil {
		return nil, nil, fmt.Errorf("looking for kubectl on the PATH: %w", err)
	}
	c := &cluster{kubectlPath: kubectl, context: name}
	if found, err := c.run(ctx, nil, "get", "namespace", ownNamespace, "--ignore-not-found", "--output", "name"); err != nil || found != "" {
		return nil, nil, errors.Join(fmt.Errorf("the cluster has a namespace %s, or can't be asked: the tests install scopegate and remove it, so they don't run where it is installed already", ownNamespace), err)
	}
	return c, config, nil
}

func (c *cluster) run(ctx context.Context, stdin io.Reader, arguments ...string) (string, error) {
	command := exec.CommandContext(ctx, c.kubectlPath, append([]string{"--context", c.context}, arguments...)...) //nolint:gosec // The tests' own commands.
	command.Env = append(os.Environ(), "KUBECTL_KUBERC=false")
	command.Stdin = stdin
	// Only this process handles Ctrl-C in a terminal.
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	output, err := command.CombinedOutput()
	if err != nil {
		lines := strings.Split(strings.TrimSpace(string(output)), "\n")
		err = fmt.Errorf("kubectl %s: %w: %s", controlplane.Quote(arguments), err, lines[len(lines)-1])
	}
	return string(output), err
}

var scopegateImage = regexp.MustCompile(`\S*scopegate-(manager|authserver):[^\s"']+`)

// importImages puts the images of scopegate that a manifest names onto the node. A
// cluster of another kind must have them already.
func (c *cluster) importImages(manifest string) error {
	if c.node == nil {
		return nil
	}
	text, err := os.ReadFile(manifest) //nolint:gosec // A manifest of the repository.
	if err != nil {
		return err
	}
	for _, match := range scopegateImage.FindAllStringSubmatch(string(text), -1) {
		if err := c.node.Import(ctx, node.Image{Name: match[0], Archive: filepath.Join("bin", "images", match[1]+".tar")}); err != nil {
			return err
		}
	}
	return nil
}
