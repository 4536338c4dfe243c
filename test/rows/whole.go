package rows

import (
	"errors"
	"fmt"
	"slices"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/scopegate/scopegate/api/v1alpha1"
	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/internal/resolve"
	"github.com/scopegate/scopegate/internal/rollout"
	scopegate "github.com/scopegate/scopegate/internal/status"
	"github.com/scopegate/scopegate/internal/status/words"
	"github.com/scopegate/scopegate/internal/testenv"
)

// situation is what a consumer, its config and its MCPOIDCConfig are like. What
// it does not change is well.
type situation struct {
	name string
	edit func(*v1alpha1.EmbeddedAuthServerConfig, **v1alpha1.MCPOIDCConfigReference)
	// references changes the references of an MCPServer or an MCPRemoteProxy, and
	// the configs. A VirtualMCPServer is then left out.
	references func(*v1alpha1.AuthReferences) []*v1beta1.MCPExternalAuthConfig
	noOIDC     bool
	// none leaves the auth server away.
	none bool
	// after are the conditions of a rollout that is let through.
	after   func(resolve.Pair) []metav1.Condition
	kstatus status.Status
	health  Health
}

func situations() []situation {
	type server = v1alpha1.EmbeddedAuthServerConfig
	type oidc = *v1alpha1.MCPOIDCConfigReference
	rolledOut := func(resolve.Pair) []metav1.Condition { return scopegate.RollingOut(true, "1 of 1") }
	// Only a user's edit can help.
	stalled := func(name string, edit func(*server, *oidc)) situation {
		return situation{name: name, edit: edit, kstatus: status.FailedStatus, health: Degraded}
	}
	return []situation{
		{name: "rolled out", after: rolledOut, kstatus: status.CurrentStatus, health: Healthy},
		{name: "an empty baseline", edit: func(s *server, _ *oidc) { s.BaselineClientScopes = nil }, after: rolledOut,
			kstatus: status.CurrentStatus, health: Healthy},
		{name: "rolling out", after: func(resolve.Pair) []metav1.Condition { return scopegate.RollingOut(false, "0 of 1") },
			kstatus: status.InProgressStatus, health: Progressing},
		{name: "refused and tried again", after: func(resolve.Pair) []metav1.Condition { return scopegate.RolloutFailed(errors.New("quota")) },
			kstatus: status.InProgressStatus, health: Progressing},
		{name: "a name that is taken", after: func(p resolve.Pair) []metav1.Condition {
			return scopegate.Held(p, v1alpha1.ReasonNameConflict, "taken", false)
		}, kstatus: status.InProgressStatus, health: Progressing},
		{name: "no MCPOIDCConfig yet", noOIDC: true, kstatus: status.InProgressStatus, health: Progressing},
		stalled("not supported", func(s *server, _ *oidc) { s.BaselineClientScopes = []string{"admin"} }),
		stalled("no oidcConfigRef", func(_ *server, o *oidc) { *o = nil }),
		stalled("another audience", func(_ *server, o *oidc) { (*o).Audience = "https://another.example.com" }),
		stalled("a field that is not rendered", func(s *server, _ *oidc) {
			s.SPIFFETrustDomains = append(s.SPIFFETrustDomains, v1alpha1.OpaqueObject{Raw: []byte(`{}`)})
		}),
		stalled("an issuer that is refused", func(s *server, _ *oidc) { s.Issuer = "http://auth.example.com" }),
		stalled("a run config that is too large", func(s *server, _ *oidc) {
			s.ScopesSupported = []string{"openid"}
			for i := range 999 {
				s.ScopesSupported = append(s.ScopesSupported, fmt.Sprintf("%0256d", i))
			}
		}),
		{name: "two upstreams", edit: func(s *server, _ *oidc) {
			s.UpstreamProviders = append(s.UpstreamProviders, *s.UpstreamProviders[0].DeepCopy())
			s.UpstreamProviders[1].Name = "second"
		}, references: func(*v1alpha1.AuthReferences) []*v1beta1.MCPExternalAuthConfig { return nil },
			kstatus: status.FailedStatus, health: Degraded},
		{name: "no config yet", references: func(r *v1alpha1.AuthReferences) []*v1beta1.MCPExternalAuthConfig {
			r.AuthServerRef.Name = "later"
			return nil
		}, kstatus: status.InProgressStatus, health: Healthy},
		{name: "a config of another type", references: func(r *v1alpha1.AuthReferences) []*v1beta1.MCPExternalAuthConfig {
			r.AuthServerRef.Name = "outgoing"
			return []*v1beta1.MCPExternalAuthConfig{testenv.OutgoingConfig(Namespace, "outgoing")}
		}, kstatus: status.FailedStatus, health: Degraded},
		{name: "two configs", references: func(r *v1alpha1.AuthReferences) []*v1beta1.MCPExternalAuthConfig {
			r.ExternalAuthConfigRef = &v1alpha1.ExternalAuthConfigRef{Name: "second"}
			return []*v1beta1.MCPExternalAuthConfig{testenv.Config(Namespace, "second")}
		}, kstatus: status.FailedStatus, health: Degraded},
		{name: "no auth server", none: true, kstatus: status.CurrentStatus, health: Healthy},
	}
}

// consumer makes a consumer of a kind in a situation, and its configs.
func (s situation) consumer(kind string) (scopegate.Object, []*v1beta1.MCPExternalAuthConfig) {
	config := testenv.Config(Namespace, "auth", "openid")
	refs := testenv.AuthServerRef("auth", "openid")
	if s.edit != nil {
		s.edit(config.Spec.EmbeddedAuthServer, &refs.OIDCConfigRef)
	}
	if s.none {
		refs = v1alpha1.AuthReferences{}
		config.Spec.EmbeddedAuthServer = nil
	}
	configs := []*v1beta1.MCPExternalAuthConfig{config}
	if s.references != nil {
		configs = append(configs, s.references(&refs)...)
	}
	switch kind {
	case resolve.KindMCPServer:
		return testenv.Server(Namespace, "web", refs), configs
	case resolve.KindMCPRemoteProxy:
		return testenv.Proxy(Namespace, "web", refs), configs
	default:
		virtual := testenv.Virtual(Namespace, "web", config.Spec.EmbeddedAuthServer)
		virtual.Spec.IncomingAuth.OIDCConfigRef = refs.OIDCConfigRef
		if refs.OIDCConfigRef == nil {
			virtual.Spec.IncomingAuth.Type = "anonymous"
		}
		return virtual, nil
	}
}

// whole returns the rows of whole mode.
func whole() ([]Row, error) {
	const mode = "whole"
	rows, err := configs(mode, nil, Healthy)
	if err != nil {
		return nil, err
	}
	for _, s := range situations() {
		for _, kind := range consumerKinds {
			if s.references != nil && kind == resolve.KindVirtualMCPServer {
				continue
			}
			object, configs := s.consumer(kind)
			conditions, err := s.conditions(object, configs)
			if err != nil {
				return nil, err
			}
			scopegate.Set(object.GetStatus(), Generation, conditions...)
			row, err := row(mode, kind, s.name, object, s.kstatus, s.health)
			if err != nil {
				return nil, err
			}
			rows = append(rows, row)
		}
	}
	for _, kind := range consumerKinds {
		object, _ := situation{}.consumer(kind)
		object.GetStatus().ObservedGeneration = -1
		row, err := row(mode, kind, "just created", object, status.InProgressStatus, Progressing)
		if err != nil {
			return nil, err
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// conditions are what the reconciler of whole mode decides.
func (s situation) conditions(object scopegate.Object, configs []*v1beta1.MCPExternalAuthConfig) ([]metav1.Condition, error) {
	pair, err := pair(object, configs...)
	if err != nil {
		return nil, err
	}
	valid := words.ForConsumer(pair)
	if valid == nil {
		return nil, nil
	}
	_, hold := rollout.Check(pair, !s.noOIDC)
	var conditions []metav1.Condition
	switch {
	case hold != nil:
		conditions = scopegate.Held(pair, hold.Reason, hold.Message, hold.Stalled)
	case s.after != nil:
		conditions = s.after(pair)
	default:
		return nil, fmt.Errorf("%s is let through", s.name)
	}
	return append(slices.Clone(conditions), *valid), nil
}
