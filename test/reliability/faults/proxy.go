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

// Proxy forwards the connections of a process to the API server. It can simulate
// the restart of an API server, which breaks connections and refuses new ones,
// and a slow network.
type Proxy struct {
	target string
	// Delay is the added latency of responses. Set it before the first
	// connection.
	Delay time.Duration

	mu       sync.Mutex
	listener net.Listener
	open     map[net.Conn]bool
}

// NewProxy listens on a loopback address and forwards to target, a host:port.
func NewProxy(ctx context.Context, target string) (*Proxy, error) {
	p := &Proxy{target: target, open: map[net.Conn]bool{}}
	return p, p.listen(ctx, "127.0.0.1:0")
}

// Address returns the address of the proxy, which does not change while it is
// away.
func (p *Proxy) Address() string { return p.listener.Addr().String() }

// Away closes all connections and refuses new ones.
func (p *Proxy) Away() {
	p.mu.Lock()
	defer p.mu.Unlock()
	_ = p.listener.Close()
	for connection := range p.open {
		_ = connection.Close()
	}
	clear(p.open)
}

// Back ends Away. It waits while another process uses the port.
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

// answer forwards the API server's responses, each piece after the delay.
func (p *Proxy) answer(client io.Writer, server io.Reader) {
	if p.Delay == 0 {
		_, _ = io.Copy(client, server)
		return
	}
	type piece struct {
		due  time.Time
		data []byte
	}
	// The buffer fills up only if the manager stops reading.
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
		// Keep reading after an error, so that the reader goroutine ends.
		_, _ = client.Write(next.data)
	}
}
