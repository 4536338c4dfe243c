package node

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"time"

	"golang.org/x/net/dns/dnsmessage"
	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"
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
		// The thread is never unlocked. So it ends with the goroutine, and no
		// other goroutine runs in the node's network.
		runtime.LockOSThread()
		if err := unix.Setns(int(inside.Fd()), unix.CLONE_NEWNET); err != nil {
			done <- fmt.Errorf("entering the node's network: %w", err)
			return
		}
		done <- run()
	}()
	return <-done
}

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
	return &http.Client{Timeout: time.Minute, Transport: &http.Transport{DialContext: c.dial, DisableKeepAlives: true}}
}

// startDNS answers pods that ask for the address of a Service, in place of
// CoreDNS. Other names do not exist: nothing leads out of the cluster.
func (c *Cluster) startDNS(ctx context.Context) error {
	var socket net.PacketConn
	if err := c.within(func() (err error) {
		var config net.ListenConfig
		socket, err = config.ListenPacket(ctx, "udp4", net.JoinHostPort(c.address.Node, "53"))
		return err
	}); err != nil {
		return fmt.Errorf("listening for DNS queries: %w", err)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	c.stopDNS = func() {
		stop()
		_ = socket.Close()
	}
	services := informers.NewSharedInformerFactory(c.clients, 0).Core().V1().Services().Informer()
	go services.Run(ctx.Done())
	if !cache.WaitForCacheSync(ctx.Done(), services.HasSynced) {
		return errors.New("the Services cannot be listed")
	}
	c.services = func(name string) (address netip.Addr, found bool) {
		service, namespace, ok := serviceName(name)
		if !ok {
			return address, false
		}
		object, exists, err := services.GetStore().GetByKey(namespace + "/" + service)
		if err != nil || !exists {
			return address, false
		}
		address, err = netip.ParseAddr(object.(*corev1.Service).Spec.ClusterIP)
		return address, err == nil
	}
	go serveDNS(socket, c.services)
	return nil
}

// serviceName splits NAME.NAMESPACE, NAME.NAMESPACE.svc and
// NAME.NAMESPACE.svc.cluster.local.
func serviceName(host string) (service, namespace string, ok bool) {
	host = strings.TrimSuffix(strings.TrimSuffix(host, ".cluster.local"), ".svc")
	service, namespace, ok = strings.Cut(host, ".")
	return service, namespace, ok && !strings.Contains(namespace, ".")
}

// serveDNS answers until the socket is closed.
func serveDNS(socket net.PacketConn, resolve func(string) (netip.Addr, bool)) {
	buffer := make([]byte, 4096)
	for {
		size, from, err := socket.ReadFrom(buffer)
		if err != nil {
			return
		}
		if answer, err := answerDNS(buffer[:size], resolve); err == nil {
			// The client asks again if the answer is lost.
			_, _ = socket.WriteTo(answer, from)
		}
	}
}

func answerDNS(query []byte, resolve func(string) (netip.Addr, bool)) ([]byte, error) {
	var message dnsmessage.Message
	if err := message.Unpack(query); err != nil {
		return nil, err
	}
	if len(message.Questions) != 1 {
		return nil, errors.New("not one question")
	}
	question := message.Questions[0]
	message.Response, message.Authoritative, message.RecursionAvailable = true, true, true
	message.Additionals = nil
	address, found := resolve(strings.TrimSuffix(question.Name.String(), "."))
	switch {
	case !found:
		message.RCode = dnsmessage.RCodeNameError
	case question.Type == dnsmessage.TypeA:
		message.Answers = []dnsmessage.Resource{{
			Header: dnsmessage.ResourceHeader{Name: question.Name, Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET, TTL: 1},
			Body:   &dnsmessage.AResource{A: address.As4()},
		}}
	}
	return message.Pack()
}
