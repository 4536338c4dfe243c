package equivalence

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	thv "github.com/stacklok/toolhive/cmd/thv-operator/api/v1beta1"
	"github.com/stacklok/toolhive/cmd/thv-operator/pkg/controllerutil"
	"github.com/stacklok/toolhive/pkg/authserver"
	"github.com/stacklok/toolhive/pkg/authserver/server/registration"

	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/compat/release"
	"github.com/scopegate/scopegate/internal/resolve"
	"github.com/scopegate/scopegate/internal/rollout"
	"github.com/scopegate/scopegate/internal/testing/expect"
)

// configCases is smaller than -cases, because each config that passes the gate
// starts auth servers.
var configCases = flag.Int("configs", 0, "how many generated configs to check; 0 for a tenth of -cases")

type pair struct {
	resolve.Pair
	config object
}

// tally counts the outcomes of the generated objects.
type tally map[string]int

func (c tally) String() string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(c)) {
		parts = append(parts, fmt.Sprintf("%s %d", name, c[name]))
	}
	return strings.Join(parts, ", ")
}

// neverWorks matches the messages of configs that the gate holds on purpose,
// although ToolHive's auth server starts with them. They have a URL of an
// upstream provider or a client that can't work. ToolHive notices that only at
// the first login.
var neverWorks = regexp.MustCompile(`forceConfidentialRedirectUris has "https:///|upstreamProviders\[.*(it must be a URL with a host, without a user and without a fragment|is not a URL)`)

// TestRunConfig checks that the gate passes only configs with which ToolHive's
// auth server starts, and that it renders the same run configs as ToolHive's
// operator.
func TestRunConfig(t *testing.T) {
	count := *configCases
	if count == 0 {
		count = *cases / 10
	}
	random, byKind, starter := newRandom(t), admissions(t), newStarter(t)
	start, seen, compared, failures := time.Now(), tally{}, 0, failures{}
	for range count {
		pair, refused := admit(t, byKind, random)
		if refused != "" {
			seen["refused by the CRDs"]++
			continue
		}
		checked, hold := rollout.Check(pair.Pair, true)
		if hold != nil {
			seen["held "+hold.Reason]++
			if hold.Reason == "InvalidConfig" && starter.start(t, buildTheirs(t, pair)) == nil {
				seen["held InvalidConfig, of these ToolHive starts"]++
				if !neverWorks.MatchString(hold.Message) {
					failures.add("the gate holds what ToolHive starts: %v\n%s", hold.Message, toJSON(t, pair.config))
				}
			}
			continue
		}
		seen["rolled out"]++
		run := decode(t, checked.RunConfig())
		if err := starter.start(t, run); err != nil {
			failures.add("the gate lets through what ToolHive refuses: %v\n%s\nof\n%s", err, checked.RunConfig(), toJSON(t, pair.config))
		}
		if diff := compareRunConfig(t, pair, checked.RunConfig()); diff != "" {
			failures.add("the run config is not what ToolHive's operator renders (-ToolHive +scopegate):\n%s\nof\n%s", diff, toJSON(t, pair.config))
		}
		compared++
	}
	t.Logf("run config: %d generated, %d started and compared with ToolHive's, %d differences, %.1f s (%v)", count, compared, len(failures), time.Since(start).Seconds(), seen)
	if compared == 0 {
		t.Error("no run config was compared")
	}
	for _, failure := range failures {
		t.Error(failure)
	}
}

// failures holds the first failure of each kind, by its reason.
type failures map[string]string

func (f failures) add(format string, reason any, details ...any) {
	const sort = 60
	key := fmt.Sprintf(format[:20]+"%v", reason)
	key = key[:min(sort, len(key))]
	if f[key] == "" {
		f[key] = fmt.Sprintf(format, append([]any{reason}, details...)...)
	}
}

// admit generates objects until the CRDs admit them, and resolves them.
func admit(t *testing.T, byKind map[string]*admission, random random) (pair, string) {
	t.Helper()
	consumer, config := random.objects()
	for _, generated := range []object{consumer, config} {
		if generated == nil {
			continue
		}
		if errs := byKind[generated["kind"].(string)].create(generated); len(errs) > 0 {
			return pair{}, errs.ToAggregate().Error()
		}
	}
	return resolvePair(t, consumer, config), ""
}

func resolvePair(t *testing.T, consumer, config object) pair {
	t.Helper()
	var typed any
	switch consumer["kind"] {
	case "MCPServer":
		typed = &v1beta1.MCPServer{}
	case "MCPRemoteProxy":
		typed = &v1beta1.MCPRemoteProxy{}
	case "VirtualMCPServer":
		typed = &v1beta1.VirtualMCPServer{}
	}
	convert(t, consumer, typed)
	workload, _ := resolve.ConsumerOf(typed)
	resolved, err := resolve.Resolve(workload, func(string) (*v1beta1.MCPExternalAuthConfig, error) {
		found := &v1beta1.MCPExternalAuthConfig{}
		convert(t, config, found)
		return found, nil
	})
	expect.NoError(t, err)
	field := "authServerConfig"
	if config != nil {
		consumer, field = config, "embeddedAuthServer"
	}
	return pair{Pair: resolved, config: consumer["spec"].(object)[field].(object)}
}

func decode(t *testing.T, text string) *authserver.RunConfig {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.DisallowUnknownFields()
	run := &authserver.RunConfig{}
	if err := decoder.Decode(run); err != nil {
		t.Fatalf("the run config does not decode: %v\n%s", err, text)
	}
	return run
}

func buildTheirs(t *testing.T, pair pair) *authserver.RunConfig {
	t.Helper()
	consumer := pair.Consumer
	return render(t, pair.config, consumer.Namespace, consumer.Name, consumer.OIDC.Scopes, consumer.ResourceURL())
}

// render lets ToolHive's operator render the run config of a stored config; nil if it
// refuses. ToolHive's types must have every field except scopegate's own.
func render(t *testing.T, config object, namespace, name string, scopes []string, resourceURL string) *authserver.RunConfig {
	t.Helper()
	stored := maps.Clone(config)
	delete(stored, "scopesSupported")
	decoder := json.NewDecoder(bytes.NewReader([]byte(toJSON(t, stored))))
	decoder.DisallowUnknownFields()
	theirs := &thv.EmbeddedAuthServerConfig{}
	if err := decoder.Decode(theirs); err != nil {
		t.Fatalf("the config does not decode into ToolHive's type: %v", err)
	}
	rendered, err := controllerutil.BuildAuthServerRunConfig(namespace, name, theirs, []string{resourceURL}, scopes, resourceURL)
	if err != nil {
		return nil
	}
	// Through JSON, as it reaches the pod.
	return decode(t, toJSON(t, rendered))
}

// compareRunConfig compares a rendered run config with what ToolHive's operator
// renders for the same objects.
func compareRunConfig(t *testing.T, pair pair, ours string) string {
	t.Helper()
	theirs := buildTheirs(t, pair)
	if theirs == nil {
		return "ToolHive's operator refuses to render it"
	}
	meantDifferences(pair, theirs)
	// Decode it as ToolHive does: an empty field equals an absent one.
	return cmp.Diff(theirs, decode(t, ours))
}

// meantDifferences applies scopegate's intended differences to ToolHive's run
// config.
func meantDifferences(pair pair, theirs *authserver.RunConfig) {
	// The scopesSupported of a config are the effective scopes. ToolHive's CRDs
	// do not have this field.
	if own := pair.Pair.Config.ScopesSupported; len(own) > 0 {
		theirs.ScopesSupported = own
	}
	// scopegate renders the defaults, because an auth server of another release
	// could have other ones.
	if len(theirs.ScopesSupported) == 0 {
		theirs.ScopesSupported = registration.DefaultScopes
	}
}

func toJSON(t *testing.T, value any) string {
	t.Helper()
	text, err := json.Marshal(value)
	expect.NoError(t, err)
	return string(text)
}

// TestExamplesRunConfig compares the run configs of ToolHive's examples that have
// an embedded auth server, with a consumer where the example has none.
func TestExamplesRunConfig(t *testing.T) {
	byKind, seen, compared := admissions(t), tally{}, 0
	for _, example := range release.Find(t, release.Compiled).Examples(t) {
		spec, _ := example.Object["spec"].(object)
		if spec["embeddedAuthServer"] == nil && spec["authServerConfig"] == nil {
			seen["without an embedded auth server"]++
			continue
		}
		config, consumer := example.Object, object{
			"apiVersion": example.GetAPIVersion(), "kind": "MCPServer",
			"metadata": object{"name": "web", "namespace": example.GetNamespace()},
			"spec": object{
				"image": "example.com/mcp:1", "authServerRef": object{"kind": "MCPExternalAuthConfig", "name": example.GetName()},
				"oidcConfigRef": object{"name": "oidc", "audience": "https://mcp.example.com", "resourceUrl": "https://mcp.example.com", "scopes": []any{"openid", "mcp:read"}},
			},
		}
		if example.GetKind() == "VirtualMCPServer" {
			config, consumer = nil, example.Object
		}
		for _, each := range []object{config, consumer} {
			if each == nil {
				continue
			}
			if errs := byKind[each["kind"].(string)].create(each); len(errs) > 0 {
				t.Fatalf("%s: %v", example, errs.ToAggregate())
			}
		}
		pair := resolvePair(t, consumer, config)
		checked, hold := rollout.Check(pair.Pair, true)
		if hold != nil {
			t.Logf("%s is held: %s: %s", example, hold.Reason, hold.Message)
			seen["held "+hold.Reason]++
			continue
		}
		if diff := compareRunConfig(t, pair, checked.RunConfig()); diff != "" {
			t.Errorf("%s (-ToolHive +scopegate):\n%s", example, diff)
		}
		compared++
	}
	t.Logf("run configs of examples: %d compared (%v)", compared, seen)
	if compared == 0 {
		t.Error("no run config was compared")
	}
}
