// Package node runs a real Kubernetes cluster of one node on this machine:
// kube-apiserver, etcd, kube-controller-manager, kube-scheduler, kube-proxy,
// kubelet, containerd and runc, in namespaces of their own, so that the machine
// is as it was when the cluster has stopped.
package node

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// Name is the node's name, and Context that of the kubeconfig's context.
const (
	Name    = "node1"
	Context = "scopegate-e2e"
)

// Cluster is a running cluster of one node.
type Cluster struct {
	// Config reaches it as an administrator.
	Config *rest.Config
	// Kubeconfig is the path of a file that does the same.
	Kubeconfig string
	// KubectlPath is the path of kubectl.
	KubectlPath string
	// Folder holds its files, such as logs. Stop removes it.
	Folder string

	clients  *kubernetes.Clientset
	assets   assets
	lock     *os.File
	space    *namespace
	address  addresses
	stopDNS  func()
	services func(name string) (netip.Addr, bool)
	// ended ends the start, with the error that a program ended.
	ended context.CancelCauseFunc
}

// Start starts a cluster whose node is Ready, with images for pods to run. It prints how
// long each step took. Whoever starts it must call Stop, also after ctx is done; a process
// that is killed takes its cluster with it, and the next start removes the files that it
// left.
func Start(ctx context.Context, images []Image) (started *Cluster, err error) {
	assets, err := check()
	if err != nil {
		return nil, err
	}
	begin := time.Now()
	sweep()
	c := &Cluster{assets: assets, KubectlPath: assets.plane("kubectl")}
	ctx, c.ended = context.WithCancelCause(ctx)
	defer func() {
		if err != nil {
			err = errors.Join(err, c.Stop())
		}
	}()
	if err := c.makeFolder(); err != nil {
		return nil, err
	}
	if c.space, err = enter(ctx, c.Folder, c.address); err != nil {
		return nil, err
	}
	if err := c.writeFiles(); err != nil {
		return nil, err
	}
	if c.Config, err = clientcmd.BuildConfigFromFlags("", c.Kubeconfig); err != nil {
		return nil, err
	}
	c.Config.QPS = -1
	if c.clients, err = kubernetes.NewForConfig(c.Config); err != nil {
		return nil, err
	}
	// The images are unpacked while the control plane starts.
	group, groupCtx := errgroup.WithContext(ctx)
	group.Go(func() error { return c.startRuntime(groupCtx, images) })
	group.Go(func() error { return c.startControlPlane(groupCtx) })
	if err := group.Wait(); err != nil {
		return nil, err
	}
	if err := c.startNode(ctx); err != nil {
		return nil, err
	}
	timed(begin, "the cluster is up")
	return c, nil
}

// makeFolder makes the cluster's folder, and locks it for as long as this
// process lives.
func (c *Cluster) makeFolder() (err error) {
	if c.Folder, err = os.MkdirTemp("", folderPrefix); err != nil {
		return fmt.Errorf("making a folder for the cluster: %w; set TMPDIR to a folder that you can write to", err)
	}
	if c.lock, err = lockFolder(c.Folder); err != nil {
		return err
	}
	c.Kubeconfig = c.path("admin.kubeconfig")
	c.address, err = freeAddresses()
	return err
}

// Stop ends everything and leaves nothing behind. A second call does nothing.
func (c *Cluster) Stop() error {
	if c.Folder == "" {
		return nil
	}
	begin := time.Now()
	var errs []error
	if c.stopDNS != nil {
		c.stopDNS()
	}
	if c.space != nil {
		errs = append(errs, c.space.stop(), c.address.unlink())
	}
	errs = append(errs, removeCgroups(cgroupName(c.Folder)), os.RemoveAll(c.Folder))
	if c.lock != nil {
		errs = append(errs, c.lock.Close())
	}
	c.Folder = ""
	timed(begin, "the cluster is gone")
	return errors.Join(errs...)
}

// timed reports that something is done, and how long it took.
func timed(begin time.Time, what string) {
	fmt.Printf("%6.1fs  %s\n", time.Since(begin).Seconds(), what)
}
