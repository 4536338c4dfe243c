package lint

import (
	"slices"
	"strings"

	"github.com/scopegate/scopegate/api/v1alpha1"
	"github.com/scopegate/scopegate/internal/startup"
)

// startUp reports the values with which the object's auth server refuses to start,
// unless the API server already rejects the field.
func (m *member) startUp(found validated) {
	config, path := m.authServer()
	if config == nil {
		return
	}
	for _, mistake := range startup.Mistakes(config) {
		field := path + mistake.Field
		if slices.ContainsFunc(found.violations, func(v violation) bool { return strings.HasPrefix(v.Field, field) }) {
			continue
		}
		m.report(ruleStartUp, Finding{Field: field, Message: path + mistake.String()})
	}
}

// authServer returns the config of the object from which an auth server runs, with
// the start of its fields' paths. It is nil if there is none.
func (m *member) authServer() (config *v1alpha1.EmbeddedAuthServerConfig, path string) {
	switch {
	case m.config != nil && m.config.Spec.Type == v1alpha1.ExternalAuthTypeEmbeddedAuthServer:
		return m.config.Spec.EmbeddedAuthServer, "spec.embeddedAuthServer."
	case m.consumer != nil && m.consumer.OIDC != nil:
		return m.consumer.Inline, "spec.authServerConfig."
	default:
		return nil, ""
	}
}
