package condition_test

import (
	"flag"
	"fmt"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/scopegate/scopegate/api/v1alpha1"
	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/internal/condition"
	"github.com/scopegate/scopegate/internal/resolve"
	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/internal/testing/sample"
)

const namespace = "ns"

var update = flag.Bool("update", false, "write the golden files anew")

// textOf returns the whole verdict of a condition.
func textOf(condition *metav1.Condition) string {
	if condition == nil {
		return "no condition"
	}
	return fmt.Sprintf("%s %s: %s", condition.Status, condition.Reason, condition.Message)
}

// requesting lets the provider of a sample request scopes.
func requesting(config *v1alpha1.EmbeddedAuthServerConfig, scopes ...string) *v1alpha1.EmbeddedAuthServerConfig {
	config.UpstreamProviders[0].OIDCConfig.Scopes = scopes
	return config
}

// TestClipTo cuts texts between characters of one, two and three bytes.
func TestClipTo(t *testing.T) {
	for text, want := range map[string]string{"abcdef": "ab…", "ééé": "é…", "→→": "…", "abcde": "abcde"} {
		expect.Equal(t, text, want, condition.ClipTo(text, 5))
	}
}

// TestForConsumer compares the whole condition of a consumer, and the note on its provider, for
// every combination of a baseline, scopesSupported and the scopes of its reference.
func TestForConsumer(t *testing.T) {
	var lines strings.Builder
	say := func(what string, pair resolve.Pair) {
		fmt.Fprintf(&lines, "\n%s, %s\n%s\n", what, pair.Consumer, textOf(condition.ForConsumer(pair)))
		if note := condition.UpstreamNote(pair); note != "" {
			fmt.Fprintln(&lines, note)
		}
	}
	for _, baseline := range [][]string{nil, {"openid"}, {"openid", "offline-access"}, {"groups", "root"}, {"groups", "admin"}, {"admin", "offline-access"}} {
		for _, supported := range [][]string{nil, {"openid"}} {
			shared := sample.Config(namespace, "shared", baseline...)
			config := requesting(shared.Spec.EmbeddedAuthServer, "admin", "groups")
			config.ScopesSupported = supported
			for _, listed := range [][]string{{"no reference"}, nil, {"OpenID"}, {"openid", "admin"}} {
				server := sample.Server(namespace, "web", sample.AuthServerRef("shared", listed...))
				virtual := sample.Virtual(namespace, "v", config, listed...)
				if slices.Contains(listed, "no reference") {
					server.Spec.OIDCConfigRef, virtual.Spec.IncomingAuth.Type = nil, "anonymous"
				}
				what := fmt.Sprintf("baseline %q, scopesSupported %q, scopes %q", baseline, supported, listed)
				say(what, sample.Pair(server, shared))
				say(what, sample.Pair(virtual))
			}
		}
	}
	say("no auth server", sample.Pair(sample.Server(namespace, "web", v1alpha1.AuthReferences{})))
	say("not found", sample.Pair(sample.Server(namespace, "web", sample.AuthServerRef("gone"))))
	expect.Golden(t, *update, "testdata/consumers.txt", lines.String())
}

// TestForConfig compares the whole condition of a config, for every combination of a baseline,
// scopesSupported and four consumers: one that has the scopes, two that lack one, and one that
// references a second auth server. Their order does not matter.
func TestForConfig(t *testing.T) {
	var lines strings.Builder
	say := func(what string, got *metav1.Condition) { fmt.Fprintf(&lines, "\n%s\n%s\n", what, textOf(got)) }
	torn := sample.AuthServerRef("shared")
	torn.ExternalAuthConfigRef = &v1alpha1.ExternalAuthConfigRef{Name: "second"}
	consumers := []*v1beta1.MCPServer{
		sample.Server(namespace, "good", sample.AuthServerRef("shared", "openid", "admin")), sample.Server(namespace, "lacks", sample.AuthServerRef("shared", "openid")),
		sample.Server(namespace, "lacks-too", sample.AuthServerRef("shared", "admin")), sample.Server(namespace, "torn", torn),
	}
	for _, baseline := range [][]string{nil, {"openid", "admin"}} {
		for _, supported := range [][]string{nil, {"admin", "openid"}, {"openid", "Admin"}} {
			config := sample.Config(namespace, "shared", baseline...)
			requesting(config.Spec.EmbeddedAuthServer, "admin").ScopesSupported = supported
			for chosen := range 1 << len(consumers) {
				what := fmt.Sprintf("baseline %q, scopesSupported %q:", baseline, supported)
				var pairs []resolve.Pair
				for i, consumer := range consumers {
					if chosen&(1<<i) != 0 {
						what += " " + consumer.Name
						pairs = append(pairs, sample.Pair(consumer, config, sample.Config(namespace, "second")))
					}
				}
				got := condition.ForConfig(config, pairs)
				slices.Reverse(pairs)
				expect.Equal(t, what+", in another order", got, condition.ForConfig(config, pairs))
				say(what, got)
			}
		}
	}
	say("another type", condition.ForConfig(sample.OutgoingConfig(namespace, "out"), nil))
	expect.Golden(t, *update, "testdata/configs.txt", lines.String())
}

// TestMessagesAreBounded checks that messages have at most 10 consumers and 2
// KiB, and do not depend on the order of the consumers.
func TestMessagesAreBounded(t *testing.T) {
	long := func(letter string) string { return strings.Repeat(letter, 255) }
	var baseline, effective []string
	for letter := 'a'; letter < 'k'; letter++ {
		baseline = append(baseline, long(string(letter)))
	}
	for i := range 1000 {
		effective = append(effective, fmt.Sprintf("%s%04d", strings.Repeat("z", 251), i))
	}
	longName := strings.Repeat("n", 253)
	for name, tc := range map[string]struct {
		baseline, effective, requested []string
		consumers                      []string
		suffix                         string
	}{
		"1000 consumers, short": {[]string{"admin"}, []string{"openid"}, nil, sample.Many("s", 1000), "; and 990 more"},
		"1000 consumers, long":  {baseline, effective, nil, sample.Many("s", 1000), "; and 998 more"},
		"requested, long":       {baseline, effective, baseline, sample.Many("s", 1000), "; and 999 more"},
		"long names":            {baseline, effective, baseline, []string{longName}, "which does not count"},
		"no more than ten":      {[]string{"admin"}, []string{"openid"}, nil, sample.Many("s", 10), "baselineClientScopes"},
	} {
		t.Run(name, func(t *testing.T) {
			config := sample.Config(namespace, longName, tc.baseline...)
			provider := &requesting(config.Spec.EmbeddedAuthServer, tc.requested...).UpstreamProviders[0]
			provider.Name = strings.Repeat("p", 63)
			var pairs []resolve.Pair
			for _, consumer := range tc.consumers {
				pairs = append(pairs, sample.Pair(sample.Server(namespace, consumer, sample.AuthServerRef(longName, tc.effective...)), config))
			}
			text := condition.ForConfig(config, pairs).Message
			if len(text) > 2048 {
				t.Errorf("the message has %d bytes, want at most 2048", len(text))
			}
			if !strings.HasSuffix(text, tc.suffix) {
				t.Errorf("the message ends with %q, want %q", text[max(0, len(text)-80):], tc.suffix)
			}
			slices.Reverse(pairs)
			if again := condition.ForConfig(config, pairs).Message; again != text {
				t.Error("the order of the consumers changes the message")
			}
			own := condition.ForConsumer(pairs[0]).Message
			if len(own) > 2048 || strings.Contains(own, "…") {
				t.Errorf("the consumer's message has %d bytes, and must not be cut within an entry", len(own))
			}
		})
	}
}

// TestMessagesAreCutLate checks that a message leaves out only what does not fit. The
// name of the first consumer grows byte by byte.
func TestMessagesAreCutLate(t *testing.T) {
	const most = 2048
	full := false
	for extra := range 300 {
		config := sample.Config(namespace, "auth", "admin")
		var pairs []resolve.Pair
		var entries []string
		for i := range 10 {
			name := fmt.Sprintf("%c%s", 'a'+i, strings.Repeat("n", extra))
			if i > 0 {
				name = name[:1]
			}
			pairs = append(pairs, sample.Pair(sample.Server(namespace, name, sample.AuthServerRef("auth", "openid")), config))
			entries = append(entries, condition.ForConfig(config, pairs[i:i+1]).Message)
		}
		text := condition.ForConfig(config, pairs).Message
		kept, _, cut := strings.Cut(text, "; and ")
		shown := strings.Count(kept, "; ") + 1
		expect.Equal(t, "the entries", strings.Join(entries[:shown], "; "), kept)
		full = full || len(text) == most
		switch {
		case len(text) > most:
			t.Errorf("%d bytes with a name of %d", len(text), extra+1)
		case cut && len(text)+len("; ")+len(entries[shown]) <= most:
			t.Errorf("entry %d was left out, and would fit after %d bytes", shown, len(text))
		}
	}
	if !full {
		t.Error("no message is as long as it may be")
	}
}

// TestLists covers the limit on the scopes within an entry, of 300 bytes with quotes.
func TestLists(t *testing.T) {
	scope := strings.Repeat
	for want, effective := range map[string][]string{
		"b\" and 1 more (from":                             {scope("a", 148), scope("b", 148), "c"},
		"a\" and 2 more (from":                             {scope("a", 148), scope("b", 149), "c"},
		scope("b", 148) + "\" (from its spec.incomingAuth": {scope("a", 148), scope("b", 148)},
	} {
		pair := sample.Pair(sample.Virtual(namespace, "v", sample.AuthServer("admin"), effective...))
		if got := condition.ForConsumer(pair).Message; !strings.Contains(got, want) {
			t.Errorf("%q lacks %q", got, want)
		}
	}
}

// TestProgress changes one field at a time of a Deployment that is rolled out.
func TestProgress(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*appsv1.Deployment)
		done   bool
		says   string
	}{
		"rolled out":                      {func(*appsv1.Deployment) {}, true, "runs the auth server"},
		"a change that is not observed":   {func(d *appsv1.Deployment) { d.Generation++ }, false, "is not observed yet"},
		"pods of before":                  {func(d *appsv1.Deployment) { d.Status.UpdatedReplicas = 1 }, false, "updated 1 of 2 pods"},
		"more pods than are to be":        {func(d *appsv1.Deployment) { d.Status.Replicas = 3 }, false, "1 old pods pending termination"},
		"a pod that is not available":     {func(d *appsv1.Deployment) { d.Status.AvailableReplicas = 1 }, false, "1 of 2 updated pods available"},
		"no number, which stands for one": {func(d *appsv1.Deployment) { d.Spec.Replicas = nil }, true, "runs the auth server"},
		"scaled to none": {func(d *appsv1.Deployment) {
			d.Spec.Replicas = ptr.To[int32](0)
			d.Status = appsv1.DeploymentStatus{ObservedGeneration: d.Generation}
		}, true, "runs the auth server"},
	} {
		t.Run(name, func(t *testing.T) {
			deployment := &appsv1.Deployment{
				ObjectMeta: metav1.ObjectMeta{Name: "auth-web", Generation: 2},
				Spec:       appsv1.DeploymentSpec{Replicas: ptr.To[int32](2)},
				Status:     appsv1.DeploymentStatus{ObservedGeneration: 2, Replicas: 2, UpdatedReplicas: 2, AvailableReplicas: 2},
			}
			tc.change(deployment)
			if done, message := condition.Progress(deployment); done != tc.done || !strings.Contains(message, `"auth-web"`) || !strings.Contains(message, tc.says) {
				t.Errorf("got %t, %q; want %t, and %q in it", done, message, tc.done, tc.says)
			}
		})
	}
}
