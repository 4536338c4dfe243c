package node

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// pauseImage holds each pod's namespaces.
const pauseImage = "localhost/pause:1"

// Image is an image that pods can run.
type Image struct {
	// Name is what pods call it.
	Name string
	// Archive is the path of an OCI archive with an index in it, as hack/image
	// writes them.
	Archive string
}

// ToolHiveImages returns the images of ToolHive's operator and of its workloads, and a
// small MCP server, localhost/mcpserver:1.
func ToolHiveImages() []Image {
	folder := filepath.Join(os.Getenv(AssetsVariable), "images")
	return []Image{
		{Name: "localhost/toolhive/operator:v0.47.0", Archive: filepath.Join(folder, "thv-operator.tar")},
		{Name: "localhost/toolhive/proxyrunner:v0.47.0", Archive: filepath.Join(folder, "thv-proxyrunner.tar")},
		{Name: "localhost/toolhive/vmcp:v0.47.0", Archive: filepath.Join(folder, "vmcp.tar")},
		{Name: "localhost/mcpserver:1", Archive: filepath.Join(folder, "mcpserver.tar")},
	}
}

// startRuntime starts containerd, and imports the images.
func (c *Cluster) startRuntime(ctx context.Context, images []Image) error {
	begin := time.Now()
	if err := c.run("containerd", "containerd", "--config", c.path("containerd.toml")); err != nil {
		return err
	}
	err := c.await(ctx, "containerd is ready", func(ctx context.Context) error { return c.ctr(ctx, "version") })
	if err != nil {
		return err
	}
	pause := Image{Name: pauseImage, Archive: filepath.Join(c.assets.node, "images", "pause.tar")}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(2)
	for _, image := range append([]Image{pause}, images...) {
		group.Go(func() error { return c.Import(ctx, image) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	timed(begin, fmt.Sprintf("containerd runs and has %d images", len(images)+1))
	return nil
}

// Import puts an image onto the node.
func (c *Cluster) Import(ctx context.Context, image Image) error {
	archive, err := filepath.Abs(image.Archive)
	if err != nil {
		return err
	}
	// --base-name leaves out the name in the archive, which has no registry:
	// kubelet's runtime would take it for one of Docker Hub, and not find it.
	return c.ctr(ctx, "images", "import", "--base-name", "localhost/unnamed", "--index-name", image.Reference(), archive)
}

// Reference returns the name by which kubelet's runtime looks for the image.
func (i Image) Reference() string {
	registry, _, found := strings.Cut(i.Name, "/")
	switch {
	case !found:
		return "docker.io/library/" + i.Name
	case registry == "localhost" || strings.ContainsAny(registry, ".:"):
		return i.Name
	default:
		return "docker.io/" + i.Name
	}
}

func (c *Cluster) ctr(ctx context.Context, arguments ...string) error {
	command := c.space.command(ctx, "ctr", append([]string{"--address", c.path("containerd.sock"), "--namespace", "k8s.io"}, arguments...)...)
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("ctr %v: %w: %s", arguments, err, output)
	}
	return nil
}

func (c *Cluster) startNode(ctx context.Context) error {
	begin := time.Now()
	if err := makeCgroups(cgroupName(c.Folder)); err != nil {
		return err
	}
	if err := c.run("kube-proxy", c.assets.binary("kube-proxy"), "--config="+c.path("kube-proxy.yaml")); err != nil {
		return err
	}
	if err := c.startDNS(ctx); err != nil {
		return err
	}
	if err := c.run("kubelet", c.assets.binary("kubelet"), "--config="+c.path("kubelet.yaml"), "--kubeconfig="+c.path("kubelet.kubeconfig"),
		"--root-dir="+c.path("kubelet"), "--hostname-override="+Name, "--node-ip="+c.address.Node); err != nil {
		return err
	}
	err := c.await(ctx, "the node is Ready", func(ctx context.Context) error {
		node, err := c.clients.CoreV1().Nodes().Get(ctx, Name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		for _, condition := range node.Status.Conditions {
			if condition.Type == corev1.NodeReady && condition.Status == corev1.ConditionTrue {
				return nil
			}
		}
		return fmt.Errorf("its conditions are %v", node.Status.Conditions)
	})
	if err != nil {
		return err
	}
	timed(begin, "kubelet and kube-proxy run, and the node is Ready")
	return nil
}
