package setup

import (
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/internal/condition"
	"github.com/scopegate/scopegate/internal/guard"
	"github.com/scopegate/scopegate/internal/kinds"
	"github.com/scopegate/scopegate/internal/resolve"
	"github.com/scopegate/scopegate/internal/scopes"
	"github.com/scopegate/scopegate/internal/toolhive"
)

// What an edit or a pod is. An edit that fits several is the last of them.
const (
	noMistake      = "edits without a mistake"
	oldMistake     = "edits that leave a mistake as it is"
	smallerMistake = "edits that make a mistake smaller"
	terminating    = "edits with a mistake of a consumer that is being deleted"
	newMistake     = "edits with a new mistake"
	newOfTwo       = "edits with a new mistake of a consumer with two references"
	goodPod        = "pods of consumers that are not False"
	badPod         = "pods of consumers that are False"
)

var outcomes = []string{noMistake, oldMistake, smallerMistake, terminating, newMistake, newOfTwo, goodPod, badPod}

// expected returns the mistakes that the policies must find in an edit, by
// internal/resolve alone: for each pair, the first scope that is missing after the edit
// and was not missing in this pair before.
func expected(before world, edit client.Object) (what string, mistakes []Refusal) {
	after := maps.Clone(before)
	after[key(edit)] = edit
	found := noMistake
	is := func(what string) {
		if slices.Index(outcomes, what) > slices.Index(outcomes, found) {
			found = what
		}
	}
	for name, object := range after {
		pair, ok := after.judged(object)
		if !ok || pair.Verdict.State != resolve.NotSupported || !concerns(edit, pair) {
			continue
		}
		if object.GetDeletionTimestamp() != nil {
			is(terminating)
			continue
		}
		var old []string
		if pairBefore, ok := before.judged(before[name]); ok && pairBefore.ConfigName == pair.ConfigName {
			old = pairBefore.Verdict.Missing
		}
		fresh := slices.DeleteFunc(slices.Clone(pair.Verdict.Missing), func(scope string) bool { return slices.Contains(old, scope) })
		switch {
		case len(fresh) == 0 && len(pair.Verdict.Missing) < len(old):
			is(smallerMistake)
		case len(fresh) == 0:
			is(oldMistake)
		default:
			mistakes = append(mistakes, mistake(edit, pair, fresh[0]))
			is(newMistake)
			if consumer, _ := resolve.ConsumerOf(object); len(consumer.ConfigNames()) == 2 {
				is(newOfTwo)
			}
		}
	}
	return found, mistakes
}

// concerns reports whether an edit is of the pair's config or consumer.
func concerns(edit client.Object, pair resolve.Pair) bool {
	if consumer, ok := resolve.ConsumerOf(edit); ok {
		return consumer.String() == pair.Consumer.String()
	}
	return edit.GetName() == pair.ConfigName
}

// mistake returns the policy that must find a missing scope in an edit, and its whole
// message.
func mistake(edit client.Object, pair resolve.Pair, scope string) Refusal {
	policy := guard.ConsumersPolicy
	list, baseline := "spec.oidcConfigRef.scopes", fmt.Sprintf("spec.embeddedAuthServer.baselineClientScopes of MCPExternalAuthConfig %q", pair.ConfigName)
	_, ofConsumer := resolve.ConsumerOf(edit)
	switch {
	case pair.Consumer.Kind == resolve.KindVirtualMCPServer:
		policy = guard.VirtualMCPServersPolicy
		list, baseline = "spec.incomingAuth.oidcConfigRef.scopes", "spec.authServerConfig.baselineClientScopes"
	case !ofConsumer:
		policy = map[string]string{
			resolve.KindMCPServer: guard.ConfigsForMCPServersPolicy, resolve.KindMCPRemoteProxy: guard.ConfigsForMCPRemoteProxiesPolicy,
		}[pair.Consumer.Kind]
		list = "its " + list
	}
	fix := "add it to " + list
	if pair.Verdict.Source == scopes.FromDefaults {
		fix = fmt.Sprintf("%s is empty, so only the defaults are supported (%s): list every scope there", list, strings.Join(toolhive.DefaultScopes, ", "))
	}
	message := fmt.Sprintf("%s does not support scope %q: %s, or remove it from %s", pair.Consumer, scope, fix, baseline)
	if _, requested := resolve.RequestedUpstream(pair.Config, []string{scope}); requested != nil {
		message += "; it is requested from an upstream provider, which does not count"
	}
	return Refusal{Policy: policy, Message: message}
}

// expectedOfPod returns the mistake that a policy must find in a pod of a consumer.
func expectedOfPod(pair resolve.Pair) (what string, mistakes []Refusal) {
	if pair.Verdict.State != resolve.NotSupported {
		return goodPod, nil
	}
	policy := map[string]string{
		resolve.KindMCPServer: guard.PodsOfMCPServersPolicy, resolve.KindMCPRemoteProxy: guard.PodsOfMCPRemoteProxiesPolicy,
		resolve.KindVirtualMCPServer: guard.PodsOfVirtualMCPServersPolicy,
	}[pair.Consumer.Kind]
	return badPod, []Refusal{{Policy: policy, Message: pair.Consumer.String() + ": " + condition.ForConsumer(pair).Message}}
}

// pairs returns each consumer with its pair, by the references as they are.
func (w world) pairs() iter.Seq2[kinds.Object, resolve.Pair] {
	return func(yield func(kinds.Object, resolve.Pair) bool) {
		for _, name := range slices.Sorted(maps.Keys(w)) {
			consumer, ok := resolve.ConsumerOf(w[name])
			if ok && !yield(w[name].(kinds.Object), w.pair(consumer)) {
				return
			}
		}
	}
}

// judged returns the pair of an object, if it is a consumer, that the policies on edits
// judge: that of its first reference.
func (w world) judged(object client.Object) (resolve.Pair, bool) {
	consumer, ok := resolve.ConsumerOf(object)
	if !ok {
		return resolve.Pair{}, false
	}
	if consumer.AuthServerRef != "" {
		consumer.ExternalAuthConfigRef = ""
	}
	return w.pair(consumer), true
}

func (w world) pair(consumer resolve.Consumer) resolve.Pair {
	pair, err := resolve.Resolve(consumer, func(name string) (*v1beta1.MCPExternalAuthConfig, error) {
		config, _ := w[key(&v1beta1.MCPExternalAuthConfig{ObjectMeta: metav1.ObjectMeta{Name: name}})].(*v1beta1.MCPExternalAuthConfig)
		return config, nil
	})
	if err != nil {
		panic(err) // This lookup does not fail.
	}
	return pair
}
