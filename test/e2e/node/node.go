// Package node runs a real Kubernetes cluster of one node on this machine:
// kube-apiserver, etcd, kube-controller-manager, kube-scheduler, kube-proxy,
// kubelet, containerd and runc, in namespaces of their own, so that the machine
// is as it was when the cluster has stopped.
package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// Name is the node's name, and Context that of the kubeconfig's context.
const (
	Name    = "node1"
	Context = "scopegate-e2e"
)

// Options are the options of Start.
type Options struct {
	// Images are there for pods to run; nothing is ever pulled.
	Images []Image
	// Output receives each finished step and how long it took. It may be nil.
	Output io.Writer
}

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
	// AuditLog is the path of the file with every write of a Deployment or a
	// ReplicaSet, as an audit.k8s.io/v1 Event with the object that came of it on
	// each line. Unlike a watch it misses nothing when the API server is restarted.
	AuditLog string

	output    io.Writer
	assets    assets
	lock      *os.File
	space     *namespace
	address   addresses
	processes map[string]*process
	stopDNS   func()
	services  func(name string) (netip.Addr, bool)
	mutex     sync.Mutex
}

// Start starts a cluster whose node is Ready. Whoever starts it must call Stop,
// also after ctx is done; a process that is killed takes its cluster with it,
// and the next start removes the files that it left.
func Start(ctx context.Context, options Options) (started *Cluster, err error) {
	assets, err := check()
	if err != nil {
		return nil, err
	}
	begin := time.Now()
	sweep()
	c := &Cluster{assets: assets, output: options.Output, processes: map[string]*process{}, KubectlPath: assets.kubectl()}
	if c.output == nil {
		c.output = io.Discard
	}
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
	// The images are unpacked while the control plane starts.
	group, groupCtx := errgroup.WithContext(ctx)
	group.Go(func() error { return c.startRuntime(groupCtx, options.Images) })
	group.Go(func() error { return c.startControlPlane(groupCtx) })
	if err := group.Wait(); err != nil {
		return nil, err
	}
	if err := c.startNode(ctx); err != nil {
		return nil, err
	}
	c.timed(begin, "the cluster is up")
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
	c.Kubeconfig, c.AuditLog = c.path("admin.kubeconfig"), c.path("audit.log")
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
	c.timed(begin, "the cluster is gone")
	return errors.Join(errs...)
}

// RestartAPIServer ends kube-apiserver as the machine's administrator would,
// and starts it again.
func (c *Cluster) RestartAPIServer(ctx context.Context) error {
	return c.restart(ctx, "kube-apiserver", c.startAPIServer)
}

// RestartKubelet ends kubelet and starts it again. Containers run on meanwhile.
func (c *Cluster) RestartKubelet(ctx context.Context) error {
	return c.restart(ctx, "kubelet", c.startKubelet)
}

func (c *Cluster) restart(ctx context.Context, name string, start func(context.Context) error) error {
	begin := time.Now()
	if err := c.processes[name].stop(); err != nil {
		return fmt.Errorf("ending %s: %w", name, err)
	}
	if err := start(ctx); err != nil {
		return fmt.Errorf("starting %s again: %w", name, err)
	}
	c.timed(begin, name+" is restarted")
	return nil
}

// timed reports that something is done, and how long it took.
func (c *Cluster) timed(begin time.Time, what string) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	// There is nobody to report an error to.
	_, _ = fmt.Fprintf(c.output, "%6.1fs  %s\n", time.Since(begin).Seconds(), what)
}
