package rollout

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/scopegate/scopegate/api/v1alpha1"
	"github.com/scopegate/scopegate/internal/condition"
	"github.com/scopegate/scopegate/internal/resolve"
	"github.com/scopegate/scopegate/internal/startup"
)

// maxRunConfigBytes limits a run config. The API server allows 256 KiB for all
// annotations of an object together.
const maxRunConfigBytes = 240 << 10

// Checked is a pair whose run config the auth server accepts. The zero value
// can't be applied.
type Checked struct {
	consumer  resolve.Consumer
	config    *v1alpha1.EmbeddedAuthServerConfig
	runConfig string
}

// RunConfig returns the run config as JSON, "" for the zero value.
func (c Checked) RunConfig() string { return c.runConfig }

// Hold is the reason why a rollout is held.
type Hold struct {
	// Reason is a reason of the condition Ready.
	Reason string
	// Message names the object, the field and the fix.
	Message string
	// Stalled is true if only a user's edit can help.
	Stalled bool
}

// Check decides whether the auth server of pair may be rolled out. It returns
// either a Checked, or a Hold with the first problem: the verdict comes first, then
// problems that only a user can fix, and last a missing MCPOIDCConfig. oidcConfigFound
// is true if the MCPOIDCConfig that the consumer references exists.
func Check(pair resolve.Pair, oidcConfigFound bool) (Checked, *Hold) {
	if hold := checkVerdict(pair); hold != nil {
		return Checked{}, hold
	}
	if hold := checkComplete(pair); hold != nil {
		return Checked{}, hold
	}
	if !oidcConfigFound {
		return Checked{}, &Hold{Reason: v1alpha1.ReasonOIDCConfigNotFound, Message: fmt.Sprintf(
			"%s of %s names MCPOIDCConfig %q, which does not exist in namespace %q: create it, or name another",
			pair.Consumer.OIDCField(), pair.Consumer, pair.Consumer.OIDC.Name, pair.Consumer.Namespace)}
	}
	text, err := json.Marshal(newRunConfig(pair))
	if err != nil {
		return Checked{}, stalled(v1alpha1.ReasonInvalidConfig, "the run config of %s can't be encoded: %v", pair.Consumer, err)
	}
	if len(text) > maxRunConfigBytes {
		return Checked{}, stalled(v1alpha1.ReasonRunConfigTooLarge,
			"the run config of %s takes %d bytes, and %d fit into the pod template: shorten its lists of scopes",
			pair.Consumer, len(text), maxRunConfigBytes)
	}
	return Checked{consumer: pair.Consumer, config: pair.Config, runConfig: string(text)}, nil
}

func checkVerdict(pair resolve.Pair) *Hold {
	switch verdict := pair.Verdict; verdict.State {
	case resolve.Supported:
		return nil
	case resolve.NotSupported:
		return &Hold{Reason: v1alpha1.ReasonBaselineScopeNotSupported, Message: condition.NotSupported(pair), Stalled: true}
	case resolve.Unresolved:
		return &Hold{Reason: verdict.Cause, Message: verdict.Why, Stalled: verdict.Cause != v1alpha1.ReasonConfigNotFound}
	default:
		return stalled(v1alpha1.ReasonInvalidConfig, "%s has no auth server", pair.Consumer)
	}
}

// checkComplete returns a Hold for problems that only a user's edit can fix.
func checkComplete(pair resolve.Pair) *Hold {
	consumer, config := pair.Consumer, pair.Config
	if consumer.OIDC == nil {
		return stalled(v1alpha1.ReasonOIDCConfigRequired, "%s", resolve.OIDCConfigRequired(consumer))
	}
	if url := consumer.ResourceURL(); consumer.OIDC.Audience != url {
		return stalled(v1alpha1.ReasonAudienceMismatch,
			"%s.audience of %s is %q, but its auth server issues tokens for its resource URL %q: set audience to that, or resourceUrl to the audience",
			consumer.OIDCField(), consumer, consumer.OIDC.Audience, url)
	}
	if n := len(config.UpstreamProviders); n > 1 && consumer.Kind != resolve.KindVirtualMCPServer {
		return stalled(v1alpha1.ReasonTooManyUpstreams,
			"%s names %d upstreamProviders, but an auth server of kind %s has one: keep one, or use a VirtualMCPServer",
			configOf(pair), n, consumer.Kind)
	}
	if fields := unsupportedFields(config); len(fields) > 0 {
		return stalled(v1alpha1.ReasonUnsupportedField,
			"%s sets %s, which scopegate does not render: remove it, or let ToolHive's operator run %s",
			configOf(pair), strings.Join(fields, ", "), consumer)
	}
	if consumer.UpstreamFilter {
		return stalled(v1alpha1.ReasonUnsupportedField,
			"%s sets spec.authServerUpstreamFilter, which scopegate does not render: remove it, or let ToolHive's operator run it", consumer)
	}
	if found := append(startup.Mistakes(config), startup.MistakesOfConsumer(config, consumer.ResourceURL(), defaultRedirectURI(consumer.ResourceURL()))...); len(found) > 0 {
		return stalled(v1alpha1.ReasonInvalidConfig, "%s: %s", configOf(pair), found[0])
	}
	return nil
}

// unsupportedFields returns the fields that are set but not rendered.
func unsupportedFields(config *v1alpha1.EmbeddedAuthServerConfig) []string {
	var fields []string
	add := func(set bool, field string) {
		if set {
			fields = append(fields, field)
		}
	}
	add(len(config.SPIFFETrustDomains) > 0, "spiffeTrustDomains")
	add(!config.InboundGrants.IsEmpty(), "inboundGrants")
	add(len(config.DelegateClients) > 0, "delegateClients")
	add(len(config.TrustedIssuers) > 0, "trustedIssuers")
	add(!config.RegistrationRateLimit.IsEmpty(), "registrationRateLimit")
	add(!config.TLSListener.IsEmpty(), "tlsListener")
	add(config.Storage != nil && config.Storage.MaxDCRClients != nil, "storage.maxDCRClients")
	for _, provider := range config.UpstreamProviders {
		if oidc := provider.OIDCConfig; oidc != nil {
			field := fmt.Sprintf("upstreamProviders[%s].oidcConfig.", provider.Name)
			add(oidc.DCRConfig != nil, field+"dcrConfig")
			add(len(oidc.AdditionalTokenParams) > 0, field+"additionalTokenParams")
			add(oidc.OmitScopeOnRefresh, field+"omitScopeOnRefresh")
		}
		if oauth2 := provider.OAuth2Config; oauth2 != nil {
			field := fmt.Sprintf("upstreamProviders[%s].oauth2Config.", provider.Name)
			add(oauth2.DCRConfig != nil, field+"dcrConfig")
			add(len(oauth2.AdditionalTokenParams) > 0, field+"additionalTokenParams")
			add(oauth2.OmitScopeOnRefresh, field+"omitScopeOnRefresh")
			add(oauth2.TokenEndpointAuthMethod != "", field+"tokenEndpointAuthMethod")
		}
	}
	return fields
}

// configOf returns the path and the object of a pair's config, for messages.
func configOf(pair resolve.Pair) string {
	if pair.ConfigName == "" {
		return fmt.Sprintf("spec.authServerConfig of %s", pair.Consumer)
	}
	return fmt.Sprintf("spec.embeddedAuthServer of %s %q", resolve.KindMCPExternalAuthConfig, pair.ConfigName)
}

func stalled(reason, format string, args ...any) *Hold {
	return &Hold{Reason: reason, Message: fmt.Sprintf(format, args...), Stalled: true}
}
