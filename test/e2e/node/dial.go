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

// dial connects to a Service, NAME.NAMESPACE:PORT.
func (c *Cluster) dial(ctx context.Context, network, address string) (connection net.Conn, err error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	service, found := c.services(host)
	if !found {
		return nil, fmt.Errorf("there is no Service %s", host)
	}
	err = c.within(func() error {
		var dialer net.Dialer
		connection, err = dialer.DialContext(ctx, network, net.JoinHostPort(service.String(), port))
		return err
	})
	return connection, err
}

// HTTPClient returns a client whose URLs may name Services, as
// http://NAME.NAMESPACE:PORT. It keeps no connections: each request goes where
// the Service leads then.
func (c *Cluster) HTTPClient() *http.Client {
	return &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DialContext: c.dial, DisableKeepAlives: true}}
}
