package node

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// within runs a function whose sockets belong to the node's network: a socket
// stays in the network that its thread was in when it was made.
func (c *Cluster) within(run func() error) error {
	inside, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", c.space.pid))
	if err != nil {
		return err
	}
	defer func() { _ = inside.Close() }()
	done := make(chan error, 1)
	go func() {
		// Never unlocked: the thread ends with the goroutine, and nobody else gets
		// one that is in another network.
		runtime.LockOSThread()
		if err := unix.Setns(int(inside.Fd()), unix.CLONE_NEWNET); err != nil {
			done <- fmt.Errorf("entering the node's network: %w", err)
			return
		}
		done <- run()
	}()
	return <-done
}

// Dial connects to an address in the cluster: that of a pod, or of a Service as
// NAME.NAMESPACE:PORT.
func (c *Cluster) Dial(ctx context.Context, network, address string) (connection net.Conn, err error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	if net.ParseIP(host) == nil {
		if host, err = c.Resolve(ctx, host); err != nil {
			return nil, err
		}
	}
	err = c.within(func() error {
		var dialer net.Dialer
		connection, err = dialer.DialContext(ctx, network, net.JoinHostPort(host, port))
		return err
	})
	return connection, err
}

// HTTPClient returns a client whose URLs may name Services and pods, as
// http://NAME.NAMESPACE:PORT. It keeps no connections: each request goes where
// the Service leads then.
func (c *Cluster) HTTPClient() *http.Client {
	return &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DialContext: c.Dial, DisableKeepAlives: true}}
}

// Resolve returns the address of a Service, NAME.NAMESPACE.
func (c *Cluster) Resolve(ctx context.Context, name string) (string, error) {
	service, namespace, ok := serviceName(name)
	if !ok {
		return "", fmt.Errorf("%q is no NAME.NAMESPACE of a Service", name)
	}
	clients, err := kubernetes.NewForConfig(c.Config)
	if err != nil {
		return "", err
	}
	found, err := clients.CoreV1().Services(namespace).Get(ctx, service, metav1.GetOptions{})
	if err != nil {
		return "", err
	}
	return found.Spec.ClusterIP, nil
}
