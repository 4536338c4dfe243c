// Package kinds is the table of the kinds whose status scopegate writes.
package kinds

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/scopegate/scopegate/api/v1alpha1"
	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/internal/resolve"
)

// Object is an object whose status scopegate writes. It is a client.Object too; the
// plugin uses this package without a client.
type Object interface {
	metav1.Object
	runtime.Object
	GetStatus() *v1alpha1.Status
}

// List is a list of objects, a client.ObjectList too.
type List interface {
	metav1.ListInterface
	runtime.Object
}

// Kind is a kind whose status scopegate writes.
type Kind struct {
	// Name is that of a manifest's kind, Resource that of the API's path.
	Name, Resource string
	// Empty returns a new object, EmptyList a new list.
	Empty     func() Object
	EmptyList func() List
}

// Config is the kind of a shared config.
var Config = Kind{
	resolve.KindMCPExternalAuthConfig, "mcpexternalauthconfigs",
	func() Object { return &v1beta1.MCPExternalAuthConfig{} },
	func() List { return &v1beta1.MCPExternalAuthConfigList{} },
}

// Consumers are the kinds that run an auth server.
var Consumers = []Kind{
	{
		resolve.KindMCPRemoteProxy, "mcpremoteproxies",
		func() Object { return &v1beta1.MCPRemoteProxy{} },
		func() List { return &v1beta1.MCPRemoteProxyList{} },
	},
	{
		resolve.KindMCPServer, "mcpservers",
		func() Object { return &v1beta1.MCPServer{} },
		func() List { return &v1beta1.MCPServerList{} },
	},
	{
		resolve.KindVirtualMCPServer, "virtualmcpservers",
		func() Object { return &v1beta1.VirtualMCPServer{} },
		func() List { return &v1beta1.VirtualMCPServerList{} },
	},
}

// All are the config and the consumers.
var All = append([]Kind{Config}, Consumers...)
