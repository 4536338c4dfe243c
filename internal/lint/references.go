package lint

import (
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/runtime"

	"github.com/scopegate/scopegate/api/v1alpha1"
	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/internal/condition"
	"github.com/scopegate/scopegate/internal/kinds"
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
	at := slices.IndexFunc(kinds.All, func(kind kinds.Kind) bool { return kind.Name == m.id.Kind })
	if at < 0 {
		return nil
	}
	into := kinds.All[at].Empty()
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object, into); err != nil {
		return err
	}
	if consumer, ok := resolve.ConsumerOf(into); ok {
		consumer.Name = m.id.Name
		m.consumer = &consumer
		return nil
	}
	m.config, _ = into.(*v1beta1.MCPExternalAuthConfig)
	return nil
}

// input is the input as the controllers would see it in a cluster.
type input struct {
	members byID
	// used are the configs from which a consumer of the input runs an auth
	// server, or would if it were valid.
	used map[Object]bool
	// paired are the configs of the verdicts so far.
	paired map[*member]bool
}

// resolvePairs resolves the consumers and the configs of the input, and reports
// findings that depend on several objects.
func resolvePairs(members []*member, defaults []string) error {
	in := input{members: byID{}, used: map[Object]bool{}, paired: map[*member]bool{}}
	for _, m := range members {
		in.members.add(m)
	}
	consumers := byID{}
	for _, m := range members {
		if m.consumer == nil {
			continue
		}
		if len(defaults) > 0 {
			m.consumer.Defaults = defaults
		}
		for _, name := range m.consumer.ConfigNames() {
			id := m.sibling(resolve.KindMCPExternalAuthConfig, name)
			in.used[id] = true
			if len(in.members[id].all) > 1 {
				consumers.put(id, m)
			}
		}
		if err := in.pairs(m); err != nil {
			return err
		}
	}
	for _, m := range members {
		in.notReferenced(m)
		if m.config == nil || in.paired[m] {
			continue
		}
		// Of several configs with one name, none is left out.
		for _, consumer := range consumers.nearest(m.id.key(), m) {
			if err := in.pair(consumer, m); err != nil {
				return err
			}
		}
	}
	return nil
}

// pairs reports the verdicts on a consumer: usually one, and several if several
// configs of one name are equally near.
func (in input) pairs(owner *member) error {
	var first []*member
	if names := owner.consumer.ConfigNames(); len(names) > 0 {
		first = in.members.nearest(owner.sibling(resolve.KindMCPExternalAuthConfig, names[0]), owner)
	}
	if len(first) == 0 {
		return in.pair(owner, nil)
	}
	for _, config := range first {
		if err := in.pair(owner, config); err != nil {
			return err
		}
	}
	return nil
}

// pair reports the verdict on a consumer. chosen is the config of its name to take;
// else the nearest counts.
func (in input) pair(owner, chosen *member) error {
	consumer := *owner.consumer
	named := func(name string) *member {
		id := owner.sibling(resolve.KindMCPExternalAuthConfig, name)
		if chosen != nil && chosen.id.key() == id {
			return chosen
		}
		if near := in.members.nearest(id, owner); len(near) > 0 {
			return near[0]
		}
		return nil
	}
	for _, name := range consumer.ConfigNames() {
		if config := named(name); config != nil {
			in.paired[config] = true
			if config.config == nil {
				return nil
			}
		}
	}
	configs := func(name string) (*v1beta1.MCPExternalAuthConfig, error) {
		if config := named(name); config != nil {
			return config.config, nil
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
		notSupported(owner, named(pair.ConfigName), pair)
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
			notSupported(owner, named(pair.ConfigName), pair)
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
func notSupported(owner, config *member, pair resolve.Pair) {
	holder, path := owner, inlineBaseline
	if pair.ConfigName != "" {
		holder, path = config, sharedBaseline
	}
	if holder.rejected {
		holder.note(baselineRules, condition.UpstreamNote(pair))
		return
	}
	found := Finding{Field: path, Message: condition.ForConsumer(pair).Message}
	if pair.Verdict.Source != scopes.FromScopesSupported {
		found.Fix = fmt.Sprintf("List every scope that the auth server needs in %s.scopes of %s, or remove what is missing there from baselineClientScopes.",
			pair.Consumer.OIDCField(), pair.Consumer)
	}
	holder.reportOnce(ruleNotSupported, found)
}

func (m *member) unresolved(pair resolve.Pair) {
	consumer, why := pair.Consumer, pair.Verdict.Why
	switch pair.Verdict.Cause {
	case v1alpha1.ReasonConfigNotFound:
		path := "spec.authServerRef"
		if pair.ConfigName != consumer.AuthServerRef {
			path = "spec.externalAuthConfigRef"
		}
		m.reportOnce(ruleNotFound, Finding{Field: path + ".name", Message: fmt.Sprintf("the input does not contain MCPExternalAuthConfig %q of namespace %q, which %s of %s names",
			pair.ConfigName, consumer.Namespace, path, consumer)})
	case v1alpha1.ReasonInvalidAuthServerRef:
		m.reportOnce(ruleWrongType, Finding{Field: "spec.authServerRef.name", Message: why})
	case v1alpha1.ReasonAuthServerConflict:
		m.reportOnce(ruleConflict, Finding{Field: "spec.externalAuthConfigRef.name", Message: why})
	case v1alpha1.ReasonOIDCConfigRequired:
		path := consumer.OIDCField()
		if consumer.Kind == resolve.KindVirtualMCPServer {
			path = "spec.incomingAuth.type"
		}
		m.reportOnce(ruleOIDCRequired, Finding{Field: path, Message: why})
	}
}

// oidcConfig reports an MCPOIDCConfig that is not in the input. The verdict does
// not depend on it, because the scopes are in the reference.
func (in input) oidcConfig(owner *member, consumer resolve.Consumer) {
	name := consumer.OIDCConfigName()
	if name == "" || len(in.members[owner.sibling("MCPOIDCConfig", name)].all) > 0 {
		return
	}
	owner.reportOnce(ruleOIDCNotFound, Finding{Field: consumer.OIDCField() + ".name", Message: fmt.Sprintf("the input does not contain MCPOIDCConfig %q of namespace %q, which %s of %s names",
		name, consumer.Namespace, consumer.OIDCField(), consumer)})
}

// notReferenced reports a baseline that could not be validated.
func (in input) notReferenced(m *member) {
	if m.config == nil || in.used[m.id.key()] {
		return
	}
	if condition := condition.ForConfig(m.config, nil); condition != nil && condition.Reason == v1alpha1.ReasonNotReferenced {
		m.reportOnce(ruleNotReferenced, Finding{Field: sharedBaseline, Message: fmt.Sprintf("nothing in the input runs an auth server from %s %q, "+
			"so its baseline could not be validated", m.id.Kind, m.id.Name)})
	}
}
