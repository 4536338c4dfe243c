//go:build e2e

package e2e

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/internal/operator"
	"github.com/scopegate/scopegate/test/e2e/chart"
	"github.com/scopegate/scopegate/test/e2e/node"
)

// root is the folder of the repository, in which kubectl runs.
const root = "../.."

type cluster struct {
	// node is nil if the tests did not start the cluster.
	node      *node.Cluster
	config    *rest.Config
	client    client.WithWatch
	clientset *kubernetes.Clientset
	// http reaches Services by URLs such as http://NAME.NAMESPACE:PORT.
	http        *http.Client
	kubectlPath string
	// context is the name of the context in the kubeconfig.
	context string
	// cache is kubectl's cache folder, so that kubectl writes nothing to the
	// user's home.
	cache string
}

var started *cluster

var start = sync.OnceValues(func() (c *cluster, err error) {
	if os.Getenv("KUBECONFIG") == "" && os.Getenv("CONTEXT") == "" {
		c, err = startNode()
	} else {
		c, err = connect()
	}
	if err != nil {
		return nil, err
	}
	c.config.QPS = -1
	// The tests list everything, including deprecated kinds.
	c.config.WarningHandler = rest.NoWarnings{}
	if c.client, err = client.NewWithWatch(c.config, client.Options{Scheme: operator.Scheme}); err != nil {
		return nil, errors.Join(err, c.stop())
	}
	if c.clientset, err = kubernetes.NewForConfig(c.config); err != nil {
		return nil, errors.Join(err, c.stop())
	}
	started = c
	return c, nil
})

func startNode() (*cluster, error) {
	own, err := node.Start(ctx, node.Options{Output: os.Stdout, Images: chart.Images()})
	if err != nil {
		return nil, err
	}
	if err := os.Setenv("KUBECONFIG", own.Kubeconfig); err != nil {
		return nil, errors.Join(err, own.Stop())
	}
	return &cluster{
		node: own, config: own.Config, http: own.HTTPClient(), kubectlPath: own.KubectlPath, context: node.Context,
		cache: filepath.Join(own.Folder, "kubectl-cache"),
	}, nil
}

// connect connects to the cluster of a context of the user's kubeconfig. Many
// shells always set KUBECONFIG, which must not lead to a cluster that matters.
// If the context is neither of kind nor of `make e2e-up`, CONTEXT has to name
// it.
func connect() (*cluster, error) {
	if err := absoluteKubeconfig(); err != nil {
		return nil, err
	}
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	kubeconfig, err := rules.Load()
	if err != nil {
		return nil, err
	}
	name := os.Getenv("CONTEXT")
	if name == "" {
		name = kubeconfig.CurrentContext
	}
	config, err := clientcmd.NewNonInteractiveClientConfig(*kubeconfig, name, nil, rules).ClientConfig()
	if err != nil {
		return nil, err
	}
	if os.Getenv("CONTEXT") == "" && name != node.Context && !strings.HasPrefix(name, "kind-") {
		return nil, fmt.Errorf("KUBECONFIG is set, and its current context %q leads to %s: the tests install and remove CRDs, policies and namespaces there. If that is meant, name it: CONTEXT=%s. If not, unset KUBECONFIG: they then start a cluster of one node on this machine", name, config.Host, name)
	}
	fmt.Printf("The tests run on context %q, %s\n", name, config.Host)
	c := &cluster{config: config, context: name}
	if c.kubectlPath, err = exec.LookPath(filepath.Join(os.Getenv(node.ControlPlaneVariable), "kubectl")); err != nil {
		return nil, fmt.Errorf("looking for kubectl on the PATH: %w", err)
	}
	if c.http, err = throughAPIServer(config); err != nil {
		return nil, err
	}
	clients, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	if _, err := clients.CoreV1().Namespaces().Get(ctx, ownNamespace, metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		return nil, errors.Join(fmt.Errorf("the cluster has a namespace %s, or can't be asked: the tests install scopegate and remove it, so they don't run where it is installed already", ownNamespace), err)
	}
	c.cache, err = os.MkdirTemp("", "scopegate-e2e-")
	return c, err
}

// absoluteKubeconfig makes the paths in KUBECONFIG, which are relative to the
// root of the repository, absolute: go test runs in another folder.
func absoluteKubeconfig() error {
	var paths []string
	for _, path := range filepath.SplitList(os.Getenv("KUBECONFIG")) {
		if !filepath.IsAbs(path) {
			absolute, err := filepath.Abs(filepath.Join(root, path))
			if err != nil {
				return err
			}
			path = absolute
		}
		paths = append(paths, path)
	}
	return os.Setenv("KUBECONFIG", strings.Join(paths, string(filepath.ListSeparator)))
}

// throughAPIServer reaches Services through the API server's proxy.
func throughAPIServer(config *rest.Config) (*http.Client, error) {
	transport, err := rest.TransportFor(config)
	if err != nil {
		return nil, err
	}
	host, _, err := rest.DefaultServerUrlFor(config)
	if err != nil {
		return nil, err
	}
	// JoinPath returns a relative path if the host has none.
	host.Path = cmp.Or(host.Path, "/")
	return &http.Client{Timeout: 10 * time.Second, Transport: serviceProxy{host, transport}}, nil
}

type serviceProxy struct {
	host *url.URL
	next http.RoundTripper
}

func (p serviceProxy) RoundTrip(request *http.Request) (*http.Response, error) {
	service, namespace, _ := strings.Cut(request.URL.Hostname(), ".")
	request = request.Clone(request.Context())
	request.URL = p.host.JoinPath("api/v1/namespaces", namespace, "services", service+":"+request.URL.Port(), "proxy", request.URL.Path)
	request.Host = ""
	return p.next.RoundTrip(request)
}

func (c *cluster) run(ctx context.Context, stdin io.Reader, arguments ...string) (string, error) {
	command := exec.CommandContext(ctx, c.kubectlPath, append([]string{"--context", c.context}, arguments...)...) //nolint:gosec // The tests' own commands.
	command.Dir = root
	command.Env = append(os.Environ(), "KUBECTL_KUBERC=false", "KUBECACHEDIR="+c.cache)
	command.Stdin = stdin
	// Only this process handles Ctrl-C in a terminal.
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	output, err := command.CombinedOutput()
	if err != nil {
		lines := strings.Split(strings.TrimSpace(string(output)), "\n")
		err = fmt.Errorf("kubectl %s: %w: %s", quoted(arguments), err, lines[len(lines)-1])
	}
	return string(output), err
}

// quoted returns a command as it is written in a shell.
func quoted(arguments []string) string {
	quoted := make([]string, len(arguments))
	for i, argument := range arguments {
		quoted[i] = argument
		if strings.ContainsAny(argument, " \t\n'\"{}()$*|&;<>") {
			quoted[i] = "'" + strings.ReplaceAll(argument, "'", `'\''`) + "'"
		}
	}
	return strings.Join(quoted, " ")
}

var scopegateImage = regexp.MustCompile(`\S*scopegate-(manager|authserver):[^\s"']+`)

// importImages puts the images of scopegate that a manifest names onto the node,
// and returns their number. A cluster of another kind must have them already.
func (c *cluster) importImages(manifest string) (int, error) {
	text, err := os.ReadFile(filepath.Join(root, manifest)) //nolint:gosec // A manifest of the repository.
	if err != nil {
		return 0, err
	}
	archives := map[string]string{}
	for _, match := range scopegateImage.FindAllStringSubmatch(string(text), -1) {
		archives[match[0]] = filepath.Join(root, "bin", "images", match[1]+".tar")
	}
	for name, archive := range archives {
		if c.node == nil {
			continue
		}
		if err := c.node.Import(ctx, node.Image{Name: name, Archive: archive}); err != nil {
			return 0, err
		}
	}
	return len(archives), nil
}

// stop ends the cluster if the tests started it.
func (c *cluster) stop() error {
	if c.node != nil {
		return c.node.Stop()
	}
	return os.RemoveAll(c.cache)
}
