package crds

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/sets"
	"sigs.k8s.io/yaml"

	"github.com/scopegate/scopegate/compat/release"
	"github.com/scopegate/scopegate/config"
	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/internal/toolhive"
)

type difference struct {
	// path is the end of the field's path.
	path, keyword, reason string
	// since is the first release without the difference, if any. scopegate follows
	// the newest release.
	since string
}

const (
	rulesCost = "bounds the cost of the rules"
	newField  = "a field of a later release"
)

var meant = slices.Concat([]difference{
	{".scopesSupported", "extra field", "scopegate's own field: the effective scopes outright", ""},
	{".baselineClientScopes[]", "maxLength", rulesCost + "; ToolHive bounds the list alone", ""},
	{".upstreamProviders", "maxItems", rulesCost + " on an entry; a hundred providers are beyond any real use", ""},
	{".oidcConfigRef.scopes", "maxItems", rulesCost + "; a thousand scopes are beyond any real use", ""},
	{".oidcConfigRef.scopes[]", "minLength", "an empty scope is none (RFC 6749 section 3.3)", ""},
	{".oidcConfigRef.scopes[]", "maxLength", rulesCost, ""},
	{".issuer", "maxLength", rulesCost, ""},
	{".authorizationEndpointBaseUrl", "maxLength", rulesCost, ""},
	{".authorizationEndpoint", "maxLength", rulesCost + " on an upstream provider", ""},
	{".tokenEndpoint", "maxLength", rulesCost + " on an upstream provider", ""},
	{".endpointUrl", "maxLength", rulesCost + " on an upstream provider", ""},
	{".redirectUri", "maxLength", rulesCost + " on an upstream provider", ""},
	{".forceConfidentialRedirectUris[]", "maxLength", rulesCost, ""},
	{".oidcConfigRef.scopes[]", "pattern", "the alphabet of a scope (RFC 6749 section 3.3), as ToolHive has it on the baseline", ""},
	{".embeddedAuthServer", "required", "upstreamProviders is optional, beside other ways to get tokens", "v0.47.0"},
	{".authServerConfig", "required", "upstreamProviders is optional, beside other ways to get tokens", "v0.47.0"},
	{".upstreamProviders", "minItems", "upstreamProviders may be empty, beside other ways to get tokens", "v0.47.0"},
	{".upstreamProviders[].oidcConfig", "required", "clientId is optional, beside dcrConfig", "v0.48.0"},
	{"mcpservers.toolhive.stacklok.dev spec", "names", "the short names that repeat the singular and the plural are gone", "v0.55.1"},
	{".secrets", "x-kubernetes-list-map-keys", "two entries may name one Secret, with different keys", "v0.55.1"},
},
	added("v0.45.0", ".allowPrivateKeyJWTRegistration", ".allowPrivateEndpoint"),
	added("v0.46.0", ".oauth2Config.caBundleRef", ".oidcConfig.caBundleRef", ".oidcConfig.allowPrivateIPs"),
	added("v0.47.0", ".inboundGrants", ".spiffeTrustDomains", ".maxRequestBodySize"),
	added("v0.48.0", ".oidcConfig.dcrConfig", ".oauth2Config.tokenEndpointAuthMethod", ".proxyReadTimeout"),
	added("v0.50.0", ".oidcConfig.additionalTokenParams", ".oauth2Config.additionalTokenParams"),
	added("v0.55.1", ".oidcConfig.omitScopeOnRefresh", ".oauth2Config.omitScopeOnRefresh", ".authServerUpstreamFilter"),
	added("v0.56.0", ".registrationRateLimit", ".storage.maxDCRClients"),
	added("v0.62.0", ".tlsListener"),
)

// added returns a difference for each field that a release introduced.
func added(release string, fields ...string) (differences []difference) {
	for _, field := range fields {
		differences = append(differences, difference{field, "extra field", newField, release})
	}
	return differences
}

// opaqueKeywords are the keywords that scopegate's schema may omit where only
// ToolHive reads the content. The API server keeps such content, and ToolHive
// validates it.
var opaqueKeywords = sets.New("required", "properties", "items", "additionalProperties", "x-kubernetes-map-type",
	"maxProperties", "minProperties", "oneOf", "anyOf", "allOf", "not")

// TestSchemaCompatible checks that scopegate's CRDs equal those of ToolHive's
// newest release, field by field, and accept whatever the CRDs of older releases
// accept, except for the intended differences above.
func TestSchemaCompatible(t *testing.T) {
	ours, err := config.CRDs()
	expect.NoError(t, err)
	for number, r := range release.All {
		t.Run(r.Version, func(t *testing.T) {
			theirs, kinds := map[string]object{}, sets.New[string]()
			for _, crd := range r.CRDs(t) {
				theirs[crd.Name] = normal(t, crd)
				kinds.Insert(crd.Spec.Names.Kind)
			}
			expect.Equal(t, "kinds", toolhive.Kinds, sets.List(kinds))
			comparison := &schemaComparison{t: t, number: number, used: map[int]int{}}
			for _, crd := range ours {
				comparison.crd(crd.Name, theirs[crd.Name], normal(t, crd))
			}
			for i, difference := range meant {
				if comparison.expects(i) && comparison.used[i] == 0 {
					t.Errorf("no field has the intended difference %s at %s (%s)", difference.keyword, difference.path, difference.reason)
				}
			}
			t.Logf("schemas: %d CRDs, %d fields compared, %d meant differences, %d opaque levels", len(ours), comparison.fields, comparison.meant, comparison.opaque)
			if comparison.fields == 0 {
				t.Error("no field was compared")
			}
		})
	}
}

type object = map[string]any

// normal passes an object through YAML, so that equal numbers have equal types.
func normal(t *testing.T, from any) object {
	t.Helper()
	text, err := yaml.Marshal(from)
	expect.NoError(t, err)
	to := object{}
	expect.NoError(t, yaml.Unmarshal(text, &to))
	return to
}

type schemaComparison struct {
	t                     *testing.T
	number                int
	fields, meant, opaque int
	used                  map[int]int
}

// expects reports whether this release still has an intended difference.
func (c *schemaComparison) expects(difference int) bool {
	since := meant[difference].since
	return since == "" || c.number < slices.Index(release.All, release.Find(c.t, since))
}

func (c *schemaComparison) crd(name string, theirs, ours object) {
	theirSpec, ourSpec := theirs["spec"].(object), ours["spec"].(object)
	for _, keyword := range []string{"group", "names", "scope", "conversion"} {
		c.equal(name+" spec", keyword, theirSpec[keyword], ourSpec[keyword])
	}
	theirVersions, ourVersions := theirSpec["versions"].([]any), ourSpec["versions"].([]any)
	if len(theirVersions) != len(ourVersions) {
		c.t.Errorf("%s: ToolHive has %d versions, scopegate %d", name, len(theirVersions), len(ourVersions))
		return
	}
	for i := range theirVersions {
		theirVersion, ourVersion := theirVersions[i].(object), ourVersions[i].(object)
		path := fmt.Sprintf("%s %v", name, theirVersion["name"])
		for _, keyword := range []string{"name", "served", "storage", "deprecated", "deprecationWarning", "subresources"} {
			c.equal(path, keyword, theirVersion[keyword], ourVersion[keyword])
		}
		c.schema(path+" spec", specOf(theirVersion), specOf(ourVersion))
	}
}

func specOf(version object) object {
	schema := version["schema"].(object)["openAPIV3Schema"].(object)
	return schema["properties"].(object)["spec"].(object)
}

func (c *schemaComparison) schema(path string, theirs, ours object) {
	c.fields++
	opaque := ours["x-kubernetes-preserve-unknown-fields"] == true
	for _, keyword := range keys(theirs, ours) {
		switch keyword {
		case "properties", "items", "additionalProperties", "description", "x-kubernetes-validations", "x-kubernetes-preserve-unknown-fields":
			continue
		}
		if opaque && opaqueKeywords.Has(keyword) && ours[keyword] == nil {
			continue
		}
		if opaque && keyword == "required" && names(theirs[keyword]).IsSuperset(names(ours[keyword])) {
			continue
		}
		c.equal(path, keyword, theirs[keyword], ours[keyword])
	}
	if opaque {
		c.opaque++
		return
	}
	c.properties(path, child(theirs, "properties"), child(ours, "properties"))
	for keyword, suffix := range map[string]string{"items": "[]", "additionalProperties": "{}"} {
		theirs, ours := child(theirs, keyword), child(ours, keyword)
		switch {
		case theirs != nil && ours != nil:
			c.schema(path+suffix, theirs, ours)
		case theirs != nil || ours != nil:
			c.equal(path, keyword, theirs, ours)
		}
	}
}

func (c *schemaComparison) properties(path string, theirs, ours object) {
	for _, name := range keys(theirs, ours) {
		field := path + "." + name
		switch {
		case theirs[name] == nil:
			c.differ(field, "extra field", "absent", "there")
		case ours[name] == nil:
			c.differ(field, "missing field", "there", "absent")
		default:
			c.schema(field, theirs[name].(object), ours[name].(object))
		}
	}
}

func (c *schemaComparison) equal(path, keyword string, theirs, ours any) {
	// The order of required names means nothing.
	if same := keyword == "required" && names(theirs).Equal(names(ours)); !same && !reflect.DeepEqual(theirs, ours) {
		c.differ(path, keyword, theirs, ours)
	}
}

func (c *schemaComparison) differ(path, keyword string, theirs, ours any) {
	for i, difference := range meant {
		if c.expects(i) && difference.keyword == keyword && strings.HasSuffix(path, difference.path) {
			c.meant++
			c.used[i]++
			return
		}
	}
	c.t.Errorf("%s: %s differs: ToolHive %v, scopegate %v", path, keyword, theirs, ours)
}

func names(list any) sets.Set[any] {
	names, _ := list.([]any)
	return sets.New(names...)
}

func child(schema object, keyword string) object {
	found, _ := schema[keyword].(object)
	return found
}

func keys(a, b object) []string { return sets.List(sets.KeySet(a).Union(sets.KeySet(b))) }
