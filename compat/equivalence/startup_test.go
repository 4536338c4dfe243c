package equivalence

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/scopegate/scopegate/api/v1alpha1"
	"github.com/scopegate/scopegate/internal/startup"
	"github.com/scopegate/scopegate/internal/testing/expect"
)

// leastShare is the minimum share of the cases with which the auth server must start,
// and also of those with which it must refuse.
const leastShare = 0.3

// TestStartUp compares the gate, the policy on start-up and the rules of the CRDs
// with ToolHive's auth server. None may reject a config with which the auth server
// starts, unless it can't work. The gate must hold each config with which the auth
// server refuses to start, and so must the policy if the values are common. If they
// are odd, the test only counts those that the policy leaves to the auth server.
func TestStartUp(t *testing.T) {
	// Each case starts auth servers.
	count := max(1000, cases()/50)
	random, starter := newRandom(t), newStarter(t)
	judges := judges{admissions(t), newStartUpPolicy(t)}
	for _, name := range slices.Sorted(maps.Keys(startUps)) {
		t.Run(name, func(t *testing.T) {
			began, seen := time.Now(), tally{}
			for range count {
				config, common := startUps[name].generate(random)
				answer, stored := judges.of(t, random, config)
				if !stored {
					seen["not stored"]++
					continue
				}
				starts := starter.start(t, render(t, config, "team-a", "web", []string{"openid"}, "https://mcp.example.com")) == nil
				if problem := startUps[name].compare(answer, starts, common); problem != "" {
					t.Fatalf("%s: %+v\n%s", problem, answer, toJSON(t, config))
				}
				if !starts && answer.policyAdmits {
					seen["left to the auth server"]++
				}
				if starts && answer.gate != "" {
					seen["started, but held"]++
				}
				seen["compared"]++
				if starts {
					seen["started"]++
				}
			}
			t.Logf("%d configs, %.1f s: %v", count, time.Since(began).Seconds(), seen)
			compared, started := float64(seen["compared"]), float64(seen["started"])
			if compared == 0 || started < leastShare*compared || started > (1-leastShare)*compared {
				t.Errorf("the auth server starts with %v of %v configs: too few or too many for a comparison", started, compared)
			}
		})
	}
}

// startUp is a kind of mistake with which the auth server refuses to start.
type startUp struct {
	// ruled is true if the CRDs have a rule on it.
	ruled bool
	// generate returns a config with random values around the allowed ones, which is
	// valid otherwise. It also reports whether the values are common.
	generate func(random) (config object, common bool)
}

// answer is what the judges say about a config.
type answer struct {
	// gate and rule are why the gate and the rules reject it, empty if they do not.
	gate, rule   string
	policyAdmits bool
}

// noDuration is part of the rules' error on a text that is not a duration. The policy
// fails to evaluate such a text, and therefore admits it.
const noDuration = "type conversion error"

// compare returns the first contradiction to what the auth server does.
func (s startUp) compare(answer answer, starts, common bool) string {
	// The policy may admit what it can't read.
	policyAdmits := answer.policyAdmits && !strings.Contains(answer.rule, noDuration)
	switch {
	case starts && answer.gate != "" && !neverWorks.MatchString(answer.gate):
		return "the gate holds a config with which the auth server starts"
	case starts && answer.rule != "":
		return "a rule rejects a config with which the auth server starts"
	case starts && !answer.policyAdmits:
		return "the policy rejects a config with which the auth server starts"
	case starts:
		return ""
	case answer.gate == "":
		return "the gate admits a config with which the auth server refuses to start"
	case common && policyAdmits:
		return "the policy admits a config with which the auth server refuses to start"
	case common && s.ruled && answer.rule == "":
		return "the rule admits a config with which the auth server refuses to start"
	case policyAdmits && answer.rule != "":
		return "the policy admits what a rule rejects"
	}
	return ""
}

type judges struct {
	byKind map[string]*admission
	policy *startUpPolicy
}

// of asks the judges about a config. stored is false if the schema rejects it.
func (j judges) of(t *testing.T, r random, config object) (found answer, stored bool) {
	t.Helper()
	kind, spec := "MCPExternalAuthConfig", object{"type": "embeddedAuthServer", "embeddedAuthServer": config}
	if r.one(2) {
		incoming := object{"type": "oidc", "oidcConfigRef": object{"name": "company", "audience": "https://mcp.example.com"}}
		kind, spec = "VirtualMCPServer", object{"groupRef": object{"name": "group"}, "incomingAuth": incoming, "authServerConfig": config}
	}
	created := object{"apiVersion": "toolhive.stacklok.dev/" + version, "kind": kind, "metadata": object{"name": "login"}, "spec": spec}
	if errs := j.byKind[kind].validate(created); len(errs) > 0 {
		return answer{}, false
	}
	if errs := j.byKind[kind].evaluate(created); len(errs) > 0 {
		found.rule = errs.ToAggregate().Error()
	}
	var err error
	found.policyAdmits, err = j.policy.admits(t.Context(), &unstructured.Unstructured{Object: created})
	expect.NoError(t, err)
	typed := &v1alpha1.EmbeddedAuthServerConfig{}
	convert(t, config, typed)
	if mistakes := startup.Mistakes(typed); len(mistakes) > 0 {
		found.gate = mistakes[0].String()
	}
	return found, true
}

// startUps are the mistakes, by the field or the rule.
var startUps = map[string]startUp{
	"issuer": {false, func(r random) (object, bool) {
		url, common := r.startURL()
		return r.insecure(startable(object{"issuer": url})), common
	}},
	"authorizationEndpointBaseUrl": {false, func(r random) (object, bool) {
		url, common := r.startURL()
		return r.insecure(startable(object{"authorizationEndpointBaseUrl": url})), common
	}},
	"no-user-in-issuer": {true, func(r random) (object, bool) {
		field := pick(r, "issuer", "authorizationEndpointBaseUrl")
		return startable(object{field: "https://" + pick(r, "", "", "", "", "user@", "user:pass@", "@", ":@", "a@b@") + r.host() + pick(r, "", "/a", "/@a", "/a@b", "//c@d")}), true
	}},
	"access-token-lifespan":  {true, lifespan("accessTokenLifespan", time.Minute, 24*time.Hour)},
	"refresh-token-lifespan": {true, lifespan("refreshTokenLifespan", time.Hour, 30*24*time.Hour)},
	"auth-code-lifespan":     {true, lifespan("authCodeLifespan", 30*time.Second, 10*time.Minute)},
	"endpoints": {false, func(r random) (object, bool) {
		url, common := r.startURL("http")
		provider := oauth2Provider(object{pick(r, "authorizationEndpoint", "tokenEndpoint"): url})
		maybe(r, provider["oauth2Config"].(object), 6, "insecureAllowHTTP", r.one(2))
		return r.insecure(startable(object{"upstreamProviders": []any{provider}})), common
	}},
	"userInfo": {false, func(r random) (object, bool) {
		url, common := r.startURL()
		provider := oauth2Provider(object{"userInfo": object{"endpointUrl": url}})
		if r.one(6) {
			provider = oidcProvider(object{"userInfoOverride": object{"endpointUrl": url}})
		}
		return r.insecure(startable(object{"upstreamProviders": []any{provider}})), common
	}},
	"redirect-uri-shape": {true, func(r random) (object, bool) {
		uri := pick(r, "https", "https", "https", "HTTPS", "http", "ftp", "com.example.app", "") + pick(r, "://", "://", "://", ":", ":/", "") +
			pick(r, "localhost", "mcp.localhost") + pick(r, "", "/oauth/callback", "/a?b=c") + pick(r, "", "", "", "", "#", "#top", "##")
		return startable(object{"upstreamProviders": []any{r.provider(object{"redirectUri": uri})}, "insecureAllowHTTP": true}), true
	}},
	"redirectUri": {false, func(r random) (object, bool) {
		uri, common := r.startURL()
		provider := r.provider(object{"redirectUri": uri})
		if oauth2, ok := provider["oauth2Config"].(object); ok {
			maybe(r, oauth2, 6, "insecureAllowHTTP", r.one(2))
		}
		return r.insecure(startable(object{"upstreamProviders": []any{provider}})), common
	}},
	"default": {false, func(r random) (object, bool) {
		providers := []any{}
		for i := range pick(r, 1, 2, 2, 3) {
			provider := r.provider(object{})
			provider["name"] = fmt.Sprintf("%s-%d", pick(r, "default", "corporate"), i)
			providers = append(providers, provider)
		}
		if r.one(2) {
			pick(r, providers...).(object)["name"] = "default"
		}
		return startable(object{"upstreamProviders": providers}), true
	}},
	"cimd-cache-lifetime": {true, func(r random) (object, bool) {
		lifetime := r.around(0)
		if r.one(2) {
			lifetime = pick(r, "0s", "0h0m", "0.0s", "00ns", "0.9ns", "0.1ns")
		}
		return startable(object{"cimd": object{"enabled": !r.one(6), "cacheFallbackTtl": lifetime}}), true
	}},
	"forceConfidentialRedirectUris": {false, func(r random) (object, bool) {
		uris, common := []any{}, true
		for range pick(r, 1, 1, 1, 2) {
			uri, each := r.startURL("https")
			uris, common = append(uris, uri), common && each
		}
		return startable(object{"allowConfidentialClientRegistration": true, "forceConfidentialRedirectUris": uris}), common
	}},
}

// startable adds fields to a config with which an auth server starts.
func startable(fields object) object {
	config := object{"issuer": "https://auth.example.com", "upstreamProviders": []any{oidcProvider(object{})}}
	maps.Copy(config, fields)
	return config
}

func oidcProvider(fields object) object {
	client := object{"issuerUrl": "https://login.example.com", "clientId": "scopegate"}
	maps.Copy(client, fields)
	return object{"name": "corporate", "type": "oidc", "oidcConfig": client}
}

func oauth2Provider(fields object) object {
	client := object{"authorizationEndpoint": "https://login.example.com/authorize", "tokenEndpoint": "https://login.example.com/token", "clientId": "scopegate"}
	maps.Copy(client, fields)
	return object{"name": "corporate", "type": "oauth2", "oauth2Config": client}
}

func (r random) provider(fields object) object {
	return pick(r, oidcProvider, oauth2Provider)(fields)
}

func (r random) insecure(config object) object {
	maybe(r, config, 6, "insecureAllowHTTP", r.one(2))
	return config
}

func lifespan(field string, least, most time.Duration) func(random) (object, bool) {
	return func(r random) (object, bool) {
		bound := pick(r, least, most)
		return startable(object{"tokenLifespans": object{field: pick(r, r.around(bound), r.around(bound), r.around(bound), r.around(bound), "0s", "0.4ns", "999999999h")}}), true
	}
}

// startURL returns a URL whose host is loopback or close to it, and reports
// whether the URL is common.
func (r random) startURL(schemes ...string) (url string, common bool) {
	if len(schemes) == 0 {
		schemes = []string{"http", "http", "http", "https"}
	}
	url = pick(r, schemes...) + "://" + r.host() + pick(r, "", "", ":8080", ":443") + pick(r, "", "/a", "/oauth/callback")
	switch r.IntN(8) {
	case 0:
		host := pick(r, "localho%C5%BFt", "localhoſt", "[::ffff:127.0.0.1]", "[::ffff:10.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]", "[0:0::1]", "[::0.0.0.1]", "[::1%25lo]",
			"127.0.0.1.example.com", "127.1", "127.0.0.01", "127.0.0.256", "::1", "localhost:80:80", "[localhost]", "", "user@localhost", "a@b@127.0.0.1", "user:pass@example.com",
			"localhost%2e", "ｌocalhost", "2130706433", "0x7f.1", "localhost.", "LOCALHOST.", "example.com:port", "[::1]:", "localhost:", "localhost]", "LOCALHOST]", "127.0.0.1]", "[::1]]", "[localhost", "localhost]:80")
		return pick(r, schemes...) + "://" + host + pick(r, "", "/a", "?a", "#a", "?@localhost", "#@localhost", "/%zz", "/ a", "\\@localhost"), false
	case 1:
		return r.mutated(url), false
	}
	return url, true
}

func (r random) host() string {
	octet := func() int { return pick(r, 0, 1, 2, 254, 255) }
	switch r.IntN(10) {
	case 0, 1:
		return pick(r, "localhost", "localhost", "LOCALHOST", "LocalHost")
	case 2, 3:
		return fmt.Sprintf("127.%d.%d.%d", octet(), octet(), octet())
	case 5:
		return fmt.Sprintf("%d.%d.%d.%d", pick(r, 0, 10, 126, 128, 192), octet(), octet(), octet())
	case 6:
		return pick(r, "[::1]", "[::1]", "[fd00::1]", "[2001:db8::1]", "[fe80::1]", "[1::1]")
	default:
		return pick(r, "auth.example.com", "auth", "mcp.team-a.svc.cluster.local", "app.localhost", "localhost.example.com", "localhost1", "xlocalhost", "example.com")
	}
}

func (r random) mutated(text string) string {
	const alphabet = ":/?#@[]%.0127-_ localhstpLOCALHST\\\"é\t"
	letters := []rune(alphabet)
	runes := []rune(text)
	for range 1 + r.IntN(3) {
		at := r.IntN(len(runes))
		switch r.IntN(3) {
		case 0:
			runes[at] = pick(r, letters...)
		case 1:
			runes = append(runes[:at:at], append([]rune{pick(r, letters...)}, runes[at:]...)...)
		default:
			runes = append(runes[:at:at], runes[at+1:]...)
		}
	}
	return string(runes)
}

func (r random) around(bound time.Duration) string {
	step := pick(r, time.Nanosecond, time.Millisecond, time.Second, time.Minute, time.Hour)
	near := max(1, bound+time.Duration(r.IntN(7)-3)*step)
	if r.one(2) {
		return fmt.Sprintf("%dns", near.Nanoseconds())
	}
	return near.String()
}
