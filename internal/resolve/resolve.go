// Package resolve turns objects into pairs of a config and a consumer, with their
// verdicts. All code that evaluates a baseline uses it, so that verdicts agree
// everywhere.
//
//	objects -> Consumer -> Resolve (which config, if any) -> evaluate -> Pair
//
// It does not read a cluster: the caller provides a function that finds configs.
package resolve

import (
	"fmt"
	"slices"

	"github.com/scopegate/scopegate/api/v1alpha1"
	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/internal/scopes"
)

// State is the state of a verdict.
type State int

const (
	// NoAuthServer is the state of a consumer that references no embedded config.
	NoAuthServer State = iota
	// Supported is the state of a pair whose auth server accepts the baseline.
	Supported
	// NotSupported is the state of a pair whose auth server refuses to start
	// because of the scopes in Missing.
	NotSupported
	// Unresolved is the state of a pair whose effective scopes are unknown, for
	// the reason in Cause.
	Unresolved
)

// Verdict says whether the auth server of one pair accepts its baseline.
type Verdict struct {
	State State
	// Missing are the baseline scopes that are not effective, in the order of the
	// baseline. Only if NotSupported.
	Missing []string
	// Upstream is the first upstream provider of the config from which the auth
	// server requests missing scopes, and Requested are these. They do not count,
	// which many users expect. Only if NotSupported.
	Upstream  string
	Requested []string
	// Effective are the effective scopes, and Source the list that they come
	// from. Only if Supported or NotSupported.
	Effective []string
	Source    scopes.Source
	// Cause is the reason why the pair is Unresolved: a reason of the condition
	// Ready. Why is a message that names the objects and the fix.
	Cause, Why string
}

// Pair is a consumer, the config that its auth server runs from, and the
// verdict.
type Pair struct {
	Consumer Consumer
	// ConfigName is the name of the MCPExternalAuthConfig, empty for the inline
	// config of a VirtualMCPServer. If Unresolved, it is the name in the
	// reference that failed.
	ConfigName string
	// Config is nil if there is none or it can't be determined.
	Config  *v1alpha1.EmbeddedAuthServerConfig
	Verdict Verdict
}

// ConfigLookup returns an MCPExternalAuthConfig by name, in the namespace of the
// consumer. It returns nil, and no error, if there is none.
type ConfigLookup func(name string) (*v1beta1.MCPExternalAuthConfig, error)

// Resolve returns the pair of the consumer and its verdict. It returns only
// errors of configs.
func Resolve(consumer Consumer, configs ConfigLookup) (Pair, error) {
	pair := Pair{Consumer: consumer}
	if consumer.Inline != nil {
		pair.Config = consumer.Inline
		pair.Verdict = evaluate(pair)
		return pair, nil
	}
	if err := pair.follow(configs); err != nil {
		return Pair{}, err
	}
	if pair.Config != nil && pair.Verdict.State == NoAuthServer {
		pair.Verdict = evaluate(pair)
	}
	return pair, nil
}

// follow finds the config through the references of an MCPServer or an
// MCPRemoteProxy. It sets a verdict only if a reference fails.
func (p *Pair) follow(configs ConfigLookup) error {
	auth, external := p.Consumer.AuthServerRef, p.Consumer.ExternalAuthConfigRef
	if auth != "" {
		config, err := configs(auth)
		switch {
		case err != nil:
			return err
		case config == nil:
			p.notFound(auth, "authServerRef")
			return nil
		case !RunsAuthServer(config):
			p.ConfigName = auth
			fix := "name one of type embeddedAuthServer"
			if config.Spec.Type == v1alpha1.ExternalAuthTypeEmbeddedAuthServer {
				fix = "set its spec.embeddedAuthServer, which is missing"
			}
			p.unresolved(v1alpha1.ReasonInvalidAuthServerRef, fmt.Sprintf(
				"spec.authServerRef of %s names MCPExternalAuthConfig %q, which is of type %s: %s", p.Consumer, auth, config.Spec.Type, fix))
			return nil
		}
		p.ConfigName, p.Config = auth, config.Spec.EmbeddedAuthServer
	}
	if external != "" {
		config, err := configs(external)
		switch {
		case err != nil:
			return err
		case config == nil:
			p.notFound(external, "externalAuthConfigRef")
		case !RunsAuthServer(config):
			// It configures outgoing requests, not an auth server.
		case auth != "":
			p.unresolved(v1alpha1.ReasonAuthServerConflict, fmt.Sprintf(
				"spec.authServerRef and spec.externalAuthConfigRef of %s both name embedded auth servers (%q and %q): "+
					"keep authServerRef, and remove the other or let it name one for outgoing calls",
				p.Consumer, auth, external))
		default:
			p.ConfigName, p.Config = external, config.Spec.EmbeddedAuthServer
		}
	}
	return nil
}

// RunsAuthServer reports whether the consumers of config run an auth server from it.
func RunsAuthServer(config *v1beta1.MCPExternalAuthConfig) bool {
	return config.Spec.Type == v1alpha1.ExternalAuthTypeEmbeddedAuthServer && config.Spec.EmbeddedAuthServer != nil
}

func (p *Pair) notFound(name, field string) {
	p.ConfigName = name
	p.unresolved(v1alpha1.ReasonConfigNotFound, fmt.Sprintf(
		"spec.%s of %s names MCPExternalAuthConfig %q, which does not exist in namespace %q: create it, or name another",
		field, p.Consumer, name, p.Consumer.Namespace))
}

func (p *Pair) unresolved(cause, why string) {
	p.Config = nil
	p.Verdict = Verdict{State: Unresolved, Cause: cause, Why: why}
}

// evaluate compares the baseline of a pair with its effective scopes.
func evaluate(pair Pair) Verdict {
	config, consumer := pair.Config, pair.Consumer
	if consumer.OIDC == nil && len(config.ScopesSupported) == 0 && len(config.BaselineClientScopes) > 0 {
		return Verdict{State: Unresolved, Cause: v1alpha1.ReasonOIDCConfigRequired, Why: OIDCConfigRequired(consumer)}
	}
	var oidcScopes []string
	if consumer.OIDC != nil {
		oidcScopes = consumer.OIDC.Scopes
	}
	effective, source := scopes.Effective(config.ScopesSupported, oidcScopes, consumer.Defaults)
	if slices.Contains(config.BaselineClientScopes, scopes.Unread) || len(config.BaselineClientScopes) > 0 && slices.Contains(effective, scopes.Unread) {
		return Verdict{State: Unresolved, Cause: v1alpha1.ReasonUnsupportedField, Why: fmt.Sprintf(
			"%s.scopes of %s, or its baselineClientScopes, takes more than %d KiB, which the guard does not read: shorten the list",
			consumer.OIDCField(), consumer, scopes.MaxBytes>>10)}
	}
	verdict := Verdict{State: Supported, Effective: effective, Source: source}
	if missing := scopes.Missing(config.BaselineClientScopes, effective); missing != nil {
		verdict.State, verdict.Missing = NotSupported, missing
		verdict.Upstream, verdict.Requested = RequestedUpstream(config, missing)
	}
	return verdict
}

// RequestedUpstream returns the first upstream provider of config from which the
// auth server requests some of the missing scopes, and these scopes.
func RequestedUpstream(config *v1alpha1.EmbeddedAuthServerConfig, missing []string) (provider string, requested []string) {
	for _, upstream := range config.UpstreamProviders {
		var from []string
		switch {
		case upstream.OIDCConfig != nil:
			from = upstream.OIDCConfig.Scopes
		case upstream.OAuth2Config != nil:
			from = upstream.OAuth2Config.Scopes
		}
		if requested = scopes.Intersect(missing, from); requested != nil {
			return upstream.Name, requested
		}
	}
	return "", nil
}

// OIDCConfigRequired returns the message that a consumer with an auth server has
// no reference to an MCPOIDCConfig, with the fix.
func OIDCConfigRequired(consumer Consumer) string {
	if consumer.Kind == KindVirtualMCPServer {
		return fmt.Sprintf("%s runs an auth server but lets clients in without a token: "+
			"set spec.incomingAuth.type to oidc and spec.incomingAuth.oidcConfigRef to an MCPOIDCConfig", consumer)
	}
	return fmt.Sprintf("%s runs an auth server but has no spec.oidcConfigRef: name an MCPOIDCConfig there", consumer)
}
