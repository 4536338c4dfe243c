package lint

import (
	"fmt"

	"github.com/scopegate/scopegate/api/v1alpha1"
	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/internal/resolve"
	"github.com/scopegate/scopegate/internal/scopes"
	"github.com/scopegate/scopegate/internal/status/words"
)

// The fields of baselines.
const (
	sharedBaseline = "spec.embeddedAuthServer.baselineClientScopes"
	inlineBaseline = "spec.authServerConfig.baselineClientScopes"
)

// together is the input as the controllers would see it in a cluster.
type together struct {
	members map[Object]*member
	// used are the configs that a consumer of the input runs an auth server from,
	// or would if it were not broken.
	used     map[Object]bool
	locator  locator
	findings []Finding
	// counts are the findings of each document, by its first byte.
	counts map[*byte]int
}

// judgeTogether resolves the consumers and the configs of the input.
func judgeTogether(members []*member) ([]Finding, error) {
	t := together{members: map[Object]*member{}, used: map[Object]bool{}, counts: map[*byte]int{}}
	for _, m := range members {
		if earlier := t.members[key(m.id)]; earlier != nil && m.id.Name != "" {
			t.twice(earlier, m)
		}
		t.members[key(m.id)] = m
	}
	for _, m := range members {
		if m.consumer == nil || t.members[key(m.id)] != m {
			continue
		}
		if err := t.pair(m, *m.consumer); err != nil {
			return nil, err
		}
	}
	t.notReferenced(members)
	return t.findings, nil
}

// pair reports the verdict on a consumer.
func (t *together) pair(owner *member, consumer resolve.Consumer) error {
	for _, name := range consumer.ConfigNames() {
		id := t.sibling(owner, resolve.KindMCPExternalAuthConfig, name)
		t.used[id] = true
		if named := t.members[id]; named != nil && named.config == nil {
			return nil
		}
	}
	pair, err := resolve.Resolve(consumer, func(name string) (*v1beta1.MCPExternalAuthConfig, error) {
		if named := t.members[t.sibling(owner, resolve.KindMCPExternalAuthConfig, name)]; named != nil {
			return named.config, nil
		}
		return nil, nil
	})
	if err != nil {
		return err
	}
	switch pair.Verdict.State {
	case resolve.NoAuthServer:
		return nil
	case resolve.NotSupported:
		t.notSupported(owner, pair)
	case resolve.Unresolved:
		t.unresolved(owner, pair)
	}
	t.oidcConfig(owner, consumer)
	return nil
}

func (t *together) sibling(of *member, kind, name string) Object {
	return Object{Kind: kind, Namespace: of.id.Namespace, Name: name}
}

// notSupported reports at the first scope that is missing, unless the API server
// refuses the object for it.
func (t *together) notSupported(owner *member, pair resolve.Pair) {
	holder, path := owner, inlineBaseline
	if pair.ConfigName != "" {
		holder, path = t.members[t.sibling(owner, resolve.KindMCPExternalAuthConfig, pair.ConfigName)], sharedBaseline
	}
	if !holder.refuted {
		t.add(holder, ruleNotSupported, path, words.ForConsumer(pair).Message, fix(pair))
	}
}

// fix names the list that lacks a scope, where the consumer has it.
func fix(pair resolve.Pair) string {
	if pair.Verdict.Source == scopes.FromScopesSupported {
		return ""
	}
	return fmt.Sprintf("List every scope that the auth server needs in %s.scopes of %s, or remove what is missing there from baselineClientScopes.",
		pair.Consumer.OIDCField(), pair.Consumer)
}

func (t *together) unresolved(owner *member, pair resolve.Pair) {
	consumer, why := pair.Consumer, pair.Verdict.Why
	switch pair.Verdict.Cause {
	case v1alpha1.ReasonConfigNotFound:
		path := "spec.authServerRef"
		if pair.ConfigName != consumer.AuthServerRef {
			path = "spec.externalAuthConfigRef"
		}
		message := fmt.Sprintf("the input does not hold MCPExternalAuthConfig %q of namespace %q, which %s of %s names",
			pair.ConfigName, consumer.Namespace, path, consumer)
		t.add(owner, ruleNotFound, path+".name", message, "")
	case v1alpha1.ReasonInvalidAuthServerRef:
		t.add(owner, ruleWrongType, "spec.authServerRef.name", why, "")
	case v1alpha1.ReasonAuthServerConflict:
		t.add(owner, ruleConflict, "spec.externalAuthConfigRef.name", why, "")
	case v1alpha1.ReasonOIDCConfigRequired:
		path := consumer.OIDCField()
		if consumer.Kind == resolve.KindVirtualMCPServer {
			path = "spec.incomingAuth.type"
		}
		t.add(owner, ruleOIDCRequired, path, why, "")
	}
}

// oidcConfig tells of an MCPOIDCConfig that the input does not hold. Its scopes
// are in the reference, so that the verdict stands without it.
func (t *together) oidcConfig(owner *member, consumer resolve.Consumer) {
	name := consumer.OIDCConfigName()
	if name == "" || t.members[t.sibling(owner, "MCPOIDCConfig", name)] != nil {
		return
	}
	path := consumer.OIDCField() + ".name"
	t.add(owner, ruleOIDCNotFound, path, fmt.Sprintf("the input does not hold MCPOIDCConfig %q of namespace %q, which %s of %s names",
		name, consumer.Namespace, consumer.OIDCField(), consumer), "")
}

// notReferenced tells of the baselines that could not be judged.
func (t *together) notReferenced(members []*member) {
	for _, m := range members {
		if m.config == nil || t.members[key(m.id)] != m || t.used[key(m.id)] {
			continue
		}
		if condition := words.ForConfig(m.config, nil); condition != nil && condition.Reason == v1alpha1.ReasonNotReferenced {
			t.add(m, ruleNotReferenced, sharedBaseline, fmt.Sprintf("nothing in the input runs an auth server from %s %q, "+
				"so its baseline could not be judged", m.id.Kind, m.id.Name), "")
		}
	}
}

func (t *together) twice(earlier, later *member) {
	place := t.locator.place(earlier.item, "metadata.name", "")
	t.add(later, ruleTwice, "metadata.name", fmt.Sprintf("%s is also at %s:%d; the last one counts", later.id, place.File, place.Line), "")
}

func (t *together) add(m *member, rule, path, message, fix string) {
	first := &m.item.document.text[0]
	if t.counts[first]++; t.counts[first] > maxFindings {
		if t.counts[first] == maxFindings+1 {
			t.findings = append(t.findings, newFinding(ruleLimit, m.item.document.placeAt(1, 1), "the document has more findings, which are not shown"))
		}
		return
	}
	finding := about(newFinding(rule, t.locator.place(m.item, path, message), message), m.id, path)
	if fix != "" {
		finding.Fix = fix
	}
	t.findings = append(t.findings, finding)
}
