package faults

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"syscall"
	"time"
)

// Proxy passes on the connections of a process to the API server, and can be
// away as an API server is that restarts: connections break, and new ones are
// refused.
type Proxy struct {
	target string

	mu       sync.Mutex
	listener net.Listener
	open     map[net.Conn]bool
}

// NewProxy listens on the loopback, for a target host:port.
func NewProxy(ctx context.Context, target string) (*Proxy, error) {
	p := &Proxy{target: target, open: map[net.Conn]bool{}}
	return p, p.listen(ctx, "127.0.0.1:0")
}

// Address is where the proxy listens, also while it is away.
func (p *Proxy) Address() string { return p.listener.Addr().String() }

// Away breaks all connections, and refuses new ones.
func (p *Proxy) Away() {
	p.mu.Lock()
	defer p.mu.Unlock()
	_ = p.listener.Close()
	for connection := range p.open {
		_ = connection.Close()
	}
	clear(p.open)
}

// Back ends Away. It waits while somebody else has its port.
func (p *Proxy) Back(ctx context.Context) error {
	for {
		err := p.listen(ctx, p.Address())
		if !errors.Is(err, syscall.EADDRINUSE) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func (p *Proxy) listen(ctx context.Context, address string) error {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("listening for the API server: %w", err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.listener = listener
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			go p.pass(ctx, listener, connection)
		}
	}()
	return nil
}

func (p *Proxy) pass(ctx context.Context, by net.Listener, client net.Conn) {
	defer func() { _ = client.Close() }()
	server, err := (&net.Dialer{}).DialContext(ctx, "tcp", p.target)
	if err != nil {
		return
	}
	defer func() { _ = server.Close() }()
	p.mu.Lock()
	away := p.listener != by
	p.open[client], p.open[server] = true, true
	p.mu.Unlock()
	if away {
		return
	}
	go func() {
		_, _ = io.Copy(server, client)
		_ = server.Close()
	}()
	_, _ = io.Copy(client, server)
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.open, client)
	delete(p.open, server)
}
