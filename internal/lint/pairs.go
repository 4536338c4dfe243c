package lint

import (
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/runtime"

	"github.com/scopegate/scopegate/api/v1alpha1"
	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/internal/condition"
	"github.com/scopegate/scopegate/internal/resolve"
	"github.com/scopegate/scopegate/internal/scopes"
)

// The paths of baselines.
const (
	sharedBaseline = "spec.embeddedAuthServer.baselineClientScopes"
	inlineBaseline = "spec.authServerConfig.baselineClientScopes"
)

// member is an object that takes part in pairs. It keeps only what they need.
type member struct {
	subject
	// line is the line of the name.
	line int
	// config or consumer is the object as the controllers see it. Both are nil
	// for another kind, or if the object can't be decoded.
	config   *v1beta1.MCPExternalAuthConfig
	consumer *resolve.Consumer
	// rejected is true if the API server already rejects the baseline.
	rejected bool
}

// decode decodes the object into its Go type, as the controllers do. The schema
// accepts some values that the type can't hold.
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
	if consumer, ok := resolve.ConsumerOf(into); ok {
		m.consumer = &consumer
		return nil
	}
	m.config, _ = into.(*v1beta1.MCPExternalAuthConfig)
	return nil
}

// input is the input as the controllers would see it in a cluster.
type input struct {
	members map[Object]*member
	// used are the configs from which a consumer of the input runs an auth
	// server, or would if it were valid.
	used map[Object]bool
}

// resolvePairs resolves the consumers and the configs of the input, and reports
// findings that depend on several objects.
func resolvePairs(members []*member, defaults []string) error {
	in := input{members: map[Object]*member{}, used: map[Object]bool{}}
	for _, m := range members {
		if earlier := in.members[m.id.key()]; earlier != nil && m.id.Name != "" {
			m.report(ruleTwice, Finding{Field: "metadata.name", Message: fmt.Sprintf("%s is also at %s:%d; the last one counts", m.id, earlier.result.document.source.Name, earlier.line)})
		}
		in.members[m.id.key()] = m
	}
	members = slices.DeleteFunc(members, func(m *member) bool { return in.members[m.id.key()] != m })
	for _, m := range members {
		if m.consumer == nil {
			continue
		}
		if len(defaults) > 0 {
			m.consumer.Defaults = defaults
		}
		if err := in.pair(m, *m.consumer); err != nil {
			return err
		}
	}
	for _, m := range members {
		in.notReferenced(m)
	}
	return nil
}

// pair reports the verdict on a consumer.
func (in input) pair(owner *member, consumer resolve.Consumer) error {
	for _, name := range consumer.ConfigNames() {
		id := owner.sibling(resolve.KindMCPExternalAuthConfig, name)
		in.used[id] = true
		if named := in.members[id]; named != nil && named.config == nil {
			return nil
		}
	}
	configs := func(name string) (*v1beta1.MCPExternalAuthConfig, error) {
		if named := in.members[owner.sibling(resolve.KindMCPExternalAuthConfig, name)]; named != nil {
			return named.config, nil
		}
		return nil, nil
	}
	pair, err := resolve.Resolve(consumer, configs)
	if err != nil {
		return err
	}
	switch pair.Verdict.State {
	case resolve.NoAuthServer:
		return nil
	case resolve.NotSupported:
		in.notSupported(owner, pair)
	case resolve.Unresolved:
		owner.unresolved(pair)
		// The auth server runs from authServerRef, also if the other reference is wrong
		// or names an object that is not in the input.
		first := consumer
		first.ExternalAuthConfigRef = ""
		if pair, err = resolve.Resolve(first, configs); err != nil {
			return err
		}
		if pair.Verdict.State == resolve.NotSupported {
			in.notSupported(owner, pair)
		}
	}
	in.oidcConfig(owner, consumer)
	return nil
}

// sibling returns an object of the given kind and name in the member's namespace.
func (m *member) sibling(kind, name string) Object {
	return Object{Kind: kind, Namespace: m.id.Namespace, Name: name}
}

// baselineRules are the rules by which the API server rejects a baseline.
var baselineRules = []string{"rule/baseline-in-advertised-scopes", "rule/baseline-in-scopes-supported"}

// notSupported reports the first missing scope. If the API server already rejects
// the object for it, its message only gets a note.
func (in input) notSupported(owner *member, pair resolve.Pair) {
	holder, path := owner, inlineBaseline
	if pair.ConfigName != "" {
		holder, path = in.members[owner.sibling(resolve.KindMCPExternalAuthConfig, pair.ConfigName)], sharedBaseline
	}
	if holder.rejected {
		holder.note(baselineRules, condition.RequestedUpstream(pair))
		return
	}
	found := Finding{Field: path, Message: condition.ForConsumer(pair).Message}
	if pair.Verdict.Source != scopes.FromScopesSupported {
		found.Fix = fmt.Sprintf("List every scope that the auth server needs in %s.scopes of %s, or remove what is missing there from baselineClientScopes.",
			pair.Consumer.OIDCField(), pair.Consumer)
	}
	holder.report(ruleNotSupported, found)
}

func (m *member) unresolved(pair resolve.Pair) {
	consumer, why := pair.Consumer, pair.Verdict.Why
	switch pair.Verdict.Cause {
	case v1alpha1.ReasonConfigNotFound:
		path := "spec.authServerRef"
		if pair.ConfigName != consumer.AuthServerRef {
			path = "spec.externalAuthConfigRef"
		}
		m.report(ruleNotFound, Finding{Field: path + ".name", Message: fmt.Sprintf("the input does not contain MCPExternalAuthConfig %q of namespace %q, which %s of %s names",
			pair.ConfigName, consumer.Namespace, path, consumer)})
	case v1alpha1.ReasonInvalidAuthServerRef:
		m.report(ruleWrongType, Finding{Field: "spec.authServerRef.name", Message: why})
	case v1alpha1.ReasonAuthServerConflict:
		m.report(ruleConflict, Finding{Field: "spec.externalAuthConfigRef.name", Message: why})
	case v1alpha1.ReasonOIDCConfigRequired:
		path := consumer.OIDCField()
		if consumer.Kind == resolve.KindVirtualMCPServer {
			path = "spec.incomingAuth.type"
		}
		m.report(ruleOIDCRequired, Finding{Field: path, Message: why})
	}
}

// oidcConfig reports an MCPOIDCConfig that is not in the input. The verdict does
// not depend on it, because the scopes are in the reference.
func (in input) oidcConfig(owner *member, consumer resolve.Consumer) {
	name := consumer.OIDCConfigName()
	if name == "" || in.members[owner.sibling("MCPOIDCConfig", name)] != nil {
		return
	}
	owner.report(ruleOIDCNotFound, Finding{Field: consumer.OIDCField() + ".name", Message: fmt.Sprintf("the input does not contain MCPOIDCConfig %q of namespace %q, which %s of %s names",
		name, consumer.Namespace, consumer.OIDCField(), consumer)})
}

// notReferenced reports a baseline that could not be validated.
func (in input) notReferenced(m *member) {
	if m.config == nil || in.used[m.id.key()] {
		return
	}
	if condition := condition.ForConfig(m.config, nil); condition != nil && condition.Reason == v1alpha1.ReasonNotReferenced {
		m.report(ruleNotReferenced, Finding{Field: sharedBaseline, Message: fmt.Sprintf("nothing in the input runs an auth server from %s %q, "+
			"so its baseline could not be validated", m.id.Kind, m.id.Name)})
	}
}
