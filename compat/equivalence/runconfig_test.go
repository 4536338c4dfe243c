package equivalence

import (
	"bytes"
	"encoding/json"
	"maps"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	thv "github.com/stacklok/toolhive/cmd/thv-operator/api/v1beta1"
	"github.com/stacklok/toolhive/cmd/thv-operator/pkg/controllerutil"
	"github.com/stacklok/toolhive/pkg/authserver"
	"github.com/stacklok/toolhive/pkg/authserver/server/registration"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"

	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/compat/release"
	"github.com/scopegate/scopegate/internal/resolve"
	"github.com/scopegate/scopegate/internal/rollout"
	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/internal/testing/sample"
)

type pair struct {
	resolve.Pair
	config object
}

// tally counts the outcomes of the generated objects.
type tally map[string]int

// neverWorks matches the messages of configs that the gate holds on purpose,
// although ToolHive's auth server starts with them. They have a URL of an
// upstream provider or a client that can't work. ToolHive notices that only at
// the first login.
var neverWorks = regexp.MustCompile(`forceConfidentialRedirectUris has "https://([^/"]*@)?/|upstreamProviders\[.*(it must be a URL with a host, without a user and without a fragment|is not a URL)`)

// TestRunConfig checks that the gate passes only configs with which ToolHive's
// auth server starts, and that it renders the same run configs as ToolHive's
// operator.
func TestRunConfig(t *testing.T) {
	// Each config that passes the gate starts auth servers.
	count := cases() / 10
	random, byKind, starter := newRandom(t), admissions(t), newStarter(t)
	start, seen, compared := time.Now(), tally{}, 0
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
					t.Fatalf("the gate holds what ToolHive starts: %v\n%s", hold.Message, toJSON(t, pair.config))
				}
			}
			continue
		}
		seen["rolled out"]++
		run := decode(t, checked.RunConfig())
		if err := starter.start(t, run); err != nil {
			t.Fatalf("the gate lets through what ToolHive refuses: %v\n%s\nof\n%s", err, checked.RunConfig(), toJSON(t, pair.config))
		}
		if diff := compareRunConfig(t, pair, checked.RunConfig()); diff != "" {
			t.Fatalf("the run config is not what ToolHive's operator renders (-ToolHive +scopegate):\n%s\nof\n%s", diff, toJSON(t, pair.config))
		}
		compared++
	}
	t.Logf("run config: %d generated, %d started and compared with ToolHive's, 0 differences, %.1f s (%v)", count, compared, time.Since(start).Seconds(), seen)
	if compared == 0 {
		t.Error("no run config was compared")
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
	typed := map[any]any{"MCPServer": &v1beta1.MCPServer{}, "MCPRemoteProxy": &v1beta1.MCPRemoteProxy{}, "VirtualMCPServer": &v1beta1.VirtualMCPServer{}}[consumer["kind"]]
	convert(t, consumer, typed)
	if config == nil {
		return pair{Pair: sample.Pair(typed), config: consumer["spec"].(object)["authServerConfig"].(object)}
	}
	referenced := &v1beta1.MCPExternalAuthConfig{}
	convert(t, config, referenced)
	return pair{Pair: sample.Pair(typed, referenced), config: config["spec"].(object)["embeddedAuthServer"].(object)}
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

// TestExamples checks that scopegate's CRDs have every field of ToolHive's examples, and
// accept them by the schema and by the rules.
func TestExamples(t *testing.T) {
	byKind := admissions(t)
	for _, r := range release.All {
		t.Run(r.Version, func(t *testing.T) {
			seen := tally{}
			for _, example := range r.Examples(t) {
				kind := example.GetKind()
				if byKind[kind] == nil {
					continue
				}
				seen[kind]++
				stored := object{}
				convert(t, example, &stored)
				options := schema.UnknownFieldPathOptions{TrackUnknownFieldPaths: true}
				if unknown := pruning.PruneWithOptions(stored, byKind[kind].structural, true, options); len(unknown) > 0 {
					t.Errorf("%s: unknown fields %q", example, unknown)
				}
				if errs := byKind[kind].create(stored); len(errs) > 0 {
					t.Errorf("%s: %v", example, errs.ToAggregate())
				}
			}
			t.Logf("examples of ToolHive %s: %v", r.Version, seen)
			if len(seen) != len(byKind) {
				t.Errorf("examples of %d kinds, want %d", len(seen), len(byKind))
			}
		})
	}
}
