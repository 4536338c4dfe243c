package lint

import (
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/internal/resolve"
)

// member is an object that takes part in the judgement of all together. It keeps
// no more of the object than that needs.
type member struct {
	id   Object
	item item
	// config or consumer is what the object is to the controllers: neither where
	// it is of another kind, or too broken to be decoded.
	config   *v1beta1.MCPExternalAuthConfig
	consumer *resolve.Consumer
	// refuted tells that the API server rejects the baseline already.
	refuted bool
}

// decode decodes the object into its Go type, as the controllers do. The schema
// accepts some that the type can't hold.
func (m *member) decode(object map[string]any) error {
	var into any
	switch m.id.Kind {
	case resolve.KindMCPExternalAuthConfig:
		into = &v1beta1.MCPExternalAuthConfig{}
	case resolve.KindMCPServer:
		into = &v1beta1.MCPServer{}
	case resolve.KindMCPRemoteProxy:
		into = &v1beta1.MCPRemoteProxy{}
	case resolve.KindVirtualMCPServer:
		into = &v1beta1.VirtualMCPServer{}
	default:
		return nil
	}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object, into); err != nil {
		return err
	}
	if consumer, ok := resolve.Of(into); ok {
		m.consumer = &consumer
		return nil
	}
	m.config, _ = into.(*v1beta1.MCPExternalAuthConfig)
	return nil
}
