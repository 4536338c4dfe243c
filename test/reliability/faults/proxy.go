package faults

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
)

// Proxy forwards the connections of a process to the API server. It can simulate
// the restart of an API server, which breaks connections and refuses new ones,
// and a slow network.
type Proxy struct {
	// Delay is the added latency of responses. Set it before the first
	// connection.
	Delay time.Duration

	target, address string
	away            func()
}

// NewProxy listens on a loopback address and forwards to target, a host:port.
func NewProxy(ctx context.Context, target string) (*Proxy, error) {
	p := &Proxy{target: target, address: "127.0.0.1:0"}
	return p, p.Back(ctx)
}

// Address returns the address of the proxy, which does not change while it is
// away.
func (p *Proxy) Address() string { return p.address }

// Away closes all connections and refuses new ones.
func (p *Proxy) Away() { p.away() }

// Back ends Away. It waits while another process uses the port.
func (p *Proxy) Back(ctx context.Context) error {
	var listener net.Listener
	err := wait.PollUntilContextCancel(ctx, 10*time.Millisecond, true, func(ctx context.Context) (bool, error) {
		var err error
		listener, err = (&net.ListenConfig{}).Listen(ctx, "tcp", p.address)
		if errors.Is(err, syscall.EADDRINUSE) {
			return false, nil
		}
		return true, err
	})
	if err != nil {
		return fmt.Errorf("listening for the API server: %w", err)
	}
	p.address = listener.Addr().String()
	ctx, cancel := context.WithCancel(ctx)
	p.away = func() {
		_ = listener.Close()
		cancel()
	}
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			go p.pass(ctx, connection)
		}
	}()
	return nil
}

func (p *Proxy) pass(ctx context.Context, client net.Conn) {
	defer func() { _ = client.Close() }()
	server, err := (&net.Dialer{}).DialContext(ctx, "tcp", p.target)
	if err != nil {
		return
	}
	defer func() { _ = server.Close() }()
	defer context.AfterFunc(ctx, func() {
		_ = client.Close()
		_ = server.Close()
	})()
	go func() {
		_, _ = io.Copy(server, client)
		_ = server.Close()
	}()
	p.answer(client, server)
}

// answer forwards the API server's responses, each piece after the delay.
func (p *Proxy) answer(client io.Writer, server io.Reader) {
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
