package cel_test

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/config"
	"github.com/scopegate/scopegate/internal/testing/corpus"
	"github.com/scopegate/scopegate/internal/testing/expect"
)

// suite is what the ratcheting tests share: a namespace, and a client that does not print
// the warnings of v1alpha1.
type suite struct {
	client.Client
	namespace string
}

// withoutRules runs store while the CRDs have no rules, and returns when the API
// server enforces them again.
func (s suite) withoutRules(t *testing.T, cases []corpus.Case, store func()) {
	t.Helper()
	original, err := config.Objects("crd")
	expect.NoError(t, err)
	weak := make([]*unstructured.Unstructured, len(original))
	for i, crd := range original {
		weak[i] = crd.DeepCopy()
		corpus.Weaken(weak[i].Object, "x-kubernetes-validations")
	}
	corpus.ReplaceCRDs(t, s, s.namespace, weak, cases, false)
	store()
	corpus.ReplaceCRDs(t, s, s.namespace, original, cases, true)
}

func (s suite) object(object *unstructured.Unstructured, version, name string) *unstructured.Unstructured {
	return corpus.As(object, version, s.namespace, name)
}

const (
	baseline      = "spec.authServerConfig.baselineClientScopes"
	supported     = "spec.authServerConfig.scopesSupported"
	authServer    = "spec.authServerConfig"
	incomingType  = "spec.incomingAuth.type"
	oidcConfigRef = "spec.incomingAuth.oidcConfigRef"
	scopes        = oidcConfigRef + ".scopes"

	finalizer = "example.com/hold"
	// The cases that edits start from. A rule rejects them: their baseline is
	// openid and tools:read, and the scopes lack the latter.
	notAdvertised = "virtualmcpserver/baseline-in-advertised-scopes/reject-one-missing.yaml"
	notSupported  = "virtualmcpserver/baseline-in-scopes-supported/reject-one-missing.yaml"
)

// step is one edit of a stored object, with the expected answer of the API
// server.
type step struct {
	// set and remove are the changes of the edit, by path.
	set    map[string]any
	remove []string
	// restore lists the paths whose values the edit resets to those of the
	// stored object.
	restore []string
	// status makes it an update of the status subresource.
	status bool
	// rejected is the message, which names the scope and where it is missing. It
	// is empty if the edit must pass.
	rejected string
}

// The messages for the baselines as they were stored.
const (
	toolsNotAdvertised = `scope "tools:read" is not in spec.incomingAuth.oidcConfigRef.scopes: add it there, or remove it from baselineClientScopes`
	toolsNotSupported  = `scope "tools:read" is not in scopesSupported: add it there, or remove it from baselineClientScopes`
)

// edits of stored objects, by the object's case and by what is edited.
var edits = map[string]map[string][]step{
	notAdvertised: {
		"unrelated field of config":   {{set: map[string]any{authServer + ".tokenLifespans": map[string]any{"accessTokenLifespan": "30m"}}}},
		"upstream providers":          {{set: map[string]any{authServer + ".primaryUpstreamProvider": "corporate"}}},
		"annotation":                  {{set: map[string]any{"metadata.annotations": map[string]any{"note": "tools"}}}},
		"finalizer added":             {{set: map[string]any{"metadata.finalizers": []any{finalizer, finalizer + "-too"}}}},
		"audience":                    {{set: map[string]any{oidcConfigRef + ".audience": "https://other.example.com"}}},
		"empty scopesSupported":       {{set: map[string]any{supported: []any{}}}},
		"other invalid baseline":      {{set: map[string]any{baseline: []any{"tools:write"}}, rejected: `scope "tools:write" is not in spec.incomingAuth.oidcConfigRef.scopes: add it there, or remove it from baselineClientScopes`}},
		"baseline reordered":          {{set: map[string]any{baseline: []any{"tools:read", "openid"}}, rejected: toolsNotAdvertised}},
		"baseline with one more":      {{set: map[string]any{baseline: []any{"openid", "tools:read", "email"}}, rejected: toolsNotAdvertised}},
		"other scopes":                {{set: map[string]any{scopes: []any{"openid", "email"}}, rejected: toolsNotAdvertised}},
		"type away and back":          {{set: map[string]any{incomingType: "anonymous"}}, {restore: []string{incomingType}, rejected: toolsNotAdvertised}},
		"scopesSupported for a while": {{set: map[string]any{supported: []any{"openid", "tools:read"}}}, {remove: []string{supported}, rejected: toolsNotAdvertised}},
		"scopesSupported emptied":     {{set: map[string]any{supported: []any{"openid", "tools:read"}}}, {set: map[string]any{supported: []any{}}, rejected: toolsNotAdvertised}},
		"config away and back":        {{remove: []string{authServer}}, {restore: []string{authServer}, rejected: toolsNotAdvertised}},
		"baseline away and back":      {{remove: []string{baseline}}, {restore: []string{baseline}, rejected: toolsNotAdvertised}},
		"scopes away and back":        {{remove: []string{scopes}}, {restore: []string{scopes}, rejected: toolsNotAdvertised}},
		"scopes emptied and back":     {{set: map[string]any{scopes: []any{}}}, {restore: []string{scopes}, rejected: toolsNotAdvertised}},
		"reference away and back": {
			{set: map[string]any{incomingType: "anonymous"}, remove: []string{oidcConfigRef}},
			{restore: []string{incomingType, oidcConfigRef}, rejected: toolsNotAdvertised},
		},
		"repaired in the baseline": {{set: map[string]any{baseline: []any{"openid"}}}, {restore: []string{baseline}, rejected: toolsNotAdvertised}},
		"repaired in the scopes":   {{set: map[string]any{scopes: []any{"openid", "tools:read"}}}, {restore: []string{scopes}, rejected: toolsNotAdvertised}},
		"unrelated field then baseline": {
			{set: map[string]any{"spec.replicas": int64(3)}},
			{set: map[string]any{baseline: []any{"tools:write"}}, rejected: `scope "tools:write" is not in spec.incomingAuth.oidcConfigRef.scopes: add it there, or remove it from baselineClientScopes`},
			{set: map[string]any{"spec.replicas": int64(4)}},
		},
	},
	notSupported: {
		"issuer":                     {{set: map[string]any{authServer + ".issuer": "https://other.example.com"}}},
		"supported scopes removed":   {{remove: []string{supported}}, {restore: []string{supported}, rejected: toolsNotSupported}},
		"supported scopes emptied":   {{set: map[string]any{supported: []any{}}}, {restore: []string{supported}, rejected: toolsNotSupported}},
		"other supported scopes":     {{set: map[string]any{supported: []any{"openid", "email"}}, rejected: toolsNotSupported}},
		"supported scopes reordered": {{set: map[string]any{supported: []any{"profile", "openid", "email", "offline_access"}}, rejected: toolsNotSupported}},
		"other invalid baseline":     {{set: map[string]any{baseline: []any{"tools:write"}}, rejected: `scope "tools:write" is not in scopesSupported: add it there, or remove it from baselineClientScopes`}},
		"baseline reordered":         {{set: map[string]any{baseline: []any{"tools:read", "openid"}}, rejected: toolsNotSupported}},
		"baseline away and back":     {{remove: []string{baseline}}, {restore: []string{baseline}, rejected: toolsNotSupported}},
		"repaired in the baseline":   {{set: map[string]any{baseline: []any{"openid"}}}, {restore: []string{baseline}, rejected: toolsNotSupported}},
		"config away and back":       {{remove: []string{authServer}}, {restore: []string{authServer}, rejected: toolsNotSupported}},
	},
}

func TestRatcheting(t *testing.T) {
	s, cases := suite{cluster.WithoutWarnings(t), cluster.Namespace(t)}, corpus.Cases(t, testdata)
	byPath, rejects := map[string]corpus.Case{}, []corpus.Case{}
	for _, c := range cases {
		byPath[c.Path] = c
		if !c.Accept {
			rejects = append(rejects, c)
		}
	}
	stored := func(c, edit string) string {
		return path.Base(path.Dir(c)) + "-" + strings.ReplaceAll(strings.ToLower(edit), " ", "-")
	}
	s.withoutRules(t, cases, func() {
		for c := range edits {
			for edit := range edits[c] {
				object := s.object(byPath[c].Object, "v1beta1", stored(c, edit))
				object.SetFinalizers([]string{finalizer})
				addOpaqueContent(t, object)
				expect.NoError(t, s.Create(t.Context(), object))
			}
		}
		for i, c := range rejects {
			object := s.object(c.Object, "v1beta1", fmt.Sprintf("case-%d", i))
			if path.Base(path.Dir(c.Path)) != "token-source-required" {
				addOpaqueContent(t, object)
			}
			expect.NoError(t, s.Create(t.Context(), object))
		}
	})
	for c := range edits {
		for edit, steps := range edits[c] {
			t.Run(path.Dir(c)+"/"+edit, func(t *testing.T) {
				t.Parallel()
				s.checkEdits(t, stored(c, edit), byPath[c].Object, steps)
			})
		}
	}
	for i, c := range rejects {
		t.Run("unrelated/"+c.Path, func(t *testing.T) {
			t.Parallel()
			s.checkUnrelatedEdits(t, fmt.Sprintf("case-%d", i), c)
		})
	}
}

// checkEdits makes the steps one after the other, and alternates between the
// versions.
func (s suite) checkEdits(t *testing.T, name string, original *unstructured.Unstructured, steps []step) {
	t.Helper()
	for i, step := range steps {
		object := s.object(original, []string{"v1beta1", "v1alpha1"}[i%2], name)
		expect.NoError(t, s.Get(t.Context(), client.ObjectKeyFromObject(object), object))
		for path, value := range step.set {
			set(t, object, path, value)
		}
		for _, path := range step.remove {
			unstructured.RemoveNestedField(object.Object, strings.Split(path, ".")...)
		}
		for _, path := range step.restore {
			value, _, _ := unstructured.NestedFieldCopy(original.Object, strings.Split(path, ".")...)
			set(t, object, path, value)
		}
		err := s.write(t, object, step.status)
		if step.rejected == "" {
			if err != nil {
				t.Fatalf("step %d is refused: %v", i+1, err)
			}
			continue
		}
		want := []metav1.StatusCause{{
			Type: metav1.CauseTypeFieldValueInvalid, Field: baseline,
			Message: "Invalid value: " + step.rejected,
		}}
		if diff := cmp.Diff(want, corpus.Causes(err), corpus.SameCause); diff != "" {
			t.Fatalf("step %d: causes of %v (-want +got):\n%s", i+1, err, diff)
		}
	}
}

func (s suite) write(t *testing.T, object *unstructured.Unstructured, status bool) error {
	t.Helper()
	if status {
		return s.Status().Update(t.Context(), object)
	}
	return s.Update(t.Context(), object)
}

// checkUnrelatedEdits edits the parts of an invalid object that its rule does
// not read: the metadata, the status, and the spec beside the rule's place.
func (s suite) checkUnrelatedEdits(t *testing.T, name string, c corpus.Case) {
	t.Helper()
	unrelated := map[string]any{"metadata.labels": map[string]any{"team": "tools"}, "metadata.finalizers": []any{finalizer}}
	at := c.Causes[0].Field
	if strings.HasPrefix(at, "spec.authServerConfig") || strings.HasPrefix(at, "spec.incomingAuth") {
		unrelated["spec.replicas"] = int64(3)
	}
	for _, config := range []string{"spec.authServerConfig", "spec.embeddedAuthServer"} {
		if strings.HasPrefix(at, config+".upstreamProviders[") || strings.HasPrefix(at, config+".storage.") {
			unrelated[config+".tokenLifespans"] = map[string]any{"accessTokenLifespan": "30m"}
		}
	}
	for _, field := range slices.Sorted(maps.Keys(unrelated)) {
		s.checkEdits(t, name, c.Object, []step{{set: map[string]any{field: unrelated[field]}}})
	}
	s.checkEdits(t, name, c.Object, []step{
		{status: true, set: map[string]any{"status.observedGeneration": int64(1)}},
		{remove: []string{"metadata.finalizers"}},
	})
}

// TestNothingBecomesInvalid edits valid objects so that they become invalid. The
// rules must reject every such edit.
func TestNothingBecomesInvalid(t *testing.T) {
	s := suite{cluster.WithoutWarnings(t), cluster.Namespace(t)}
	accepts, rejects := map[string][]corpus.Case{}, map[string][]corpus.Case{}
	for _, c := range corpus.Cases(t, testdata) {
		by := rejects
		if c.Accept {
			by = accepts
		}
		by[path.Dir(c.Path)] = append(by[path.Dir(c.Path)], c)
	}
	for folder := range rejects {
		t.Run(folder, func(t *testing.T) {
			t.Parallel()
			for i, valid := range accepts[folder] {
				object := s.object(valid.Object, "v1beta1", fmt.Sprintf("valid-%s-%d", path.Base(folder), i))
				expect.NoError(t, s.Create(t.Context(), object))
				for _, invalid := range rejects[folder] {
					edited := object.DeepCopy()
					edited.Object["spec"] = invalid.Object.DeepCopy().Object["spec"]
					err := s.Update(t.Context(), edited)
					expect.Equal(t, fmt.Sprintf("%s becomes %s: causes of %v", valid.Path, path.Base(invalid.Path), err), invalid.Causes, corpus.Causes(err), corpus.SameCause)
				}
			}
		})
	}
}

// addOpaqueContent adds schemaless content to an auth server's config. Native
// ratcheting does not work on such content or above it, because the API server
// never treats it as unchanged. The content is also a source of tokens.
func addOpaqueContent(t *testing.T, object *unstructured.Unstructured) {
	t.Helper()
	for _, config := range []string{"embeddedAuthServer", "authServerConfig"} {
		if _, found, _ := unstructured.NestedMap(object.Object, "spec", config); found {
			set(t, object, "spec."+config+".inboundGrants", map[string]any{"grant": "of ToolHive's"})
		}
	}
}

func set(t *testing.T, object *unstructured.Unstructured, path string, value any) {
	t.Helper()
	expect.NoError(t, unstructured.SetNestedField(object.Object, value, strings.Split(path, ".")...))
}
