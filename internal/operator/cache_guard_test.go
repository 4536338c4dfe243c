package operator

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/scopegate/scopegate/api/v1alpha1"
	"github.com/scopegate/scopegate/internal/condition"
	"github.com/scopegate/scopegate/internal/guard/writer"
	"github.com/scopegate/scopegate/internal/kinds"
	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/internal/testing/sample"
)

func inGuardCache[T client.Object](t *testing.T, object T) T {
	t.Helper()
	for kind, options := range guardCache().ByObject {
		if reflect.TypeOf(kind) == reflect.TypeOf(object) {
			kept, err := options.Transform(object.DeepCopyObject())
			expect.NoError(t, err)
			return kept.(T)
		}
	}
	t.Fatalf("the guard does not cache %T", object)
	return object
}

// TestGuardCacheKeepsTheVerdict compares conditions before and after the cache.
func TestGuardCacheKeepsTheVerdict(t *testing.T) {
	config := sample.Config("ns", "login", "openid", "admin", "mail", "files")
	idp := config.Spec.EmbeddedAuthServer.UpstreamProviders[0]
	config.Spec.EmbeddedAuthServer.UpstreamProviders = nil
	for i, scopes := range [][]string{{"email"}, {"mail"}, {"mail", "admin"}, {"admin"}} {
		idp.Name, idp.OIDCConfig = fmt.Sprintf("idp-%d", i), &v1alpha1.OIDCUpstreamConfig{Scopes: scopes}
		config.Spec.EmbeddedAuthServer.UpstreamProviders = append(config.Spec.EmbeddedAuthServer.UpstreamProviders, idp)
	}
	for _, supported := range [][]string{nil, {"openid", "mail"}} {
		config.Spec.EmbeddedAuthServer.ScopesSupported = supported
		for _, scopes := range [][]string{nil, {"openid", "admin", "mail", "files"}, {"openid", "admin"}, {"openid", "mail"}, {"mail", "admin"}} {
			for _, consumer := range []client.Object{
				sample.Server("ns", "web", sample.AuthServerRef("login", scopes...)), sample.Proxy("ns", "web", sample.ExternalAuthConfigRef("login", scopes...)),
				sample.Server("ns", "web", v1alpha1.AuthReferences{AuthServerRef: sample.AuthServerRef("login").AuthServerRef}),
				sample.Virtual("ns", "web", config.Spec.EmbeddedAuthServer, scopes...),
			} {
				want := condition.ForConsumer(sample.Pair(consumer, config))
				expect.Equal(t, fmt.Sprintf("condition of %T", consumer), want, condition.ForConsumer(sample.Pair(inGuardCache(t, consumer), inGuardCache(t, config))))
			}
		}
	}
}

// TestGuardCacheIsBounded stores objects as a hostile tenant makes them.
func TestGuardCacheIsBounded(t *testing.T) {
	long, many := strings.Repeat("x", 1<<20), sample.Many("scope", 50_000)
	config := sample.Config("ns", "login", append([]string{long}, many...)...)
	for range 10_000 {
		config.Spec.EmbeddedAuthServer.UpstreamProviders = append(config.Spec.EmbeddedAuthServer.UpstreamProviders, v1alpha1.UpstreamProviderConfig{
			Name: long, OIDCConfig: &v1alpha1.OIDCUpstreamConfig{Scopes: many[:10]},
		})
	}
	refs := sample.AuthServerRef(long, many...)
	refs.ExternalAuthConfigRef, refs.OIDCConfigRef.Audience = &v1alpha1.ExternalAuthConfigRef{Name: long}, long
	server := sample.Server("ns", "web", refs)
	for _, object := range []kinds.Object{config, server, sample.Proxy("ns", "web", refs), sample.Virtual("ns", "web", config.Spec.EmbeddedAuthServer, many...)} {
		object.SetLabels(map[string]string{"a": long})
		object.SetFinalizers(many)
		object.SetOwnerReferences([]metav1.OwnerReference{{Name: long}})
		object.GetStatus().Conditions = nil
		for i := range 10_000 {
			object.GetStatus().Conditions = append(object.GetStatus().Conditions, metav1.Condition{Type: fmt.Sprint(i), Reason: long, Message: long})
		}
		object.GetStatus().Conditions = append(object.GetStatus().Conditions, metav1.Condition{Type: writer.Type, Reason: long, Message: long})
		kept := inGuardCache(t, object)
		text, err := yaml.Marshal(kept)
		expect.NoError(t, err)
		if len(text) > 32<<10 || cap(kept.GetStatus().Conditions) > 2*maxConditions {
			t.Errorf("%T takes %d bytes, and the memory of %d conditions", object, len(text), cap(kept.GetStatus().Conditions))
		}
		own := meta.FindStatusCondition(kept.GetStatus().Conditions, writer.Type)
		expect.Equal(t, "keeps its own condition", true, own != nil && own.Reason == long[:maxTextBytes])
	}
	server = inGuardCache(t, sample.Server("ns", "web", sample.AuthServerRef("login", many...)))
	const why = `spec.oidcConfigRef.scopes of MCPServer "web", or its baselineClientScopes, takes more than 16 KiB, which the guard does not read: shorten the list`
	for _, baseline := range [][]string{{"scope-0000"}, many, nil} {
		pair := sample.Pair(server, inGuardCache(t, sample.Config("ns", "login", baseline...)))
		expect.Equal(t, "unread", baseline != nil, pair.Verdict.Why == why)
	}
}
