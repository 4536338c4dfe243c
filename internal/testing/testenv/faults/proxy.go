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
// refused. It can also be slow.
type Proxy struct {
	target string
	// Delay is how much later each answer arrives. It is set before the first connection.
	Delay time.Duration

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
	p.answer(client, server)
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.open, client)
	delete(p.open, server)
}

// answer passes on what the API server sends, each piece after the delay.
func (p *Proxy) answer(client io.Writer, server io.Reader) {
	if p.Delay == 0 {
		_, _ = io.Copy(client, server)
		return
	}
	type piece struct {
		due  time.Time
		data []byte
	}
	// More than this many are under way only where the manager is not read from either.
	pieces := make(chan piece, 1<<14)
	go func() {
		defer close(pieces)
		for {
			data := make([]byte, 32<<10)
			n, err := server.Read(data)
			if n > 0 {
				pieces <- piece{time.Now().Add(p.Delay), data[:n]}
			}
			if err != nil {
				return
			}
		}
	}()
	for next := range pieces {
		time.Sleep(time.Until(next.due))
		// The rest is read all the same, so that the reader ends.
		_, _ = client.Write(next.data)
	}
}
