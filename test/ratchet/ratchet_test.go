package ratchet_test

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/version"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/test/corpus"
)

const (
	baseline      = "spec.authServerConfig.baselineClientScopes"
	supported     = "spec.authServerConfig.scopesSupported"
	authServer    = "spec.authServerConfig"
	incomingType  = "spec.incomingAuth.type"
	oidcConfigRef = "spec.incomingAuth.oidcConfigRef"
	scopes        = oidcConfigRef + ".scopes"

	finalizer = "example.com/hold"
	// storedInvalid is the case that the edits start from: its baseline is openid
	// and tools:read, and its scopes lack the latter.
	storedInvalid = "virtualmcpserver/baseline-in-advertised-scopes/reject-one-missing.yaml"
)

// step is one edit of a stored object, and what the API server says to it.
type step struct {
	// set and remove are what the edit does, by path.
	set    map[string]any
	remove []string
	// restore puts values back as they were when the object was stored.
	restore []string
	// status makes it an update of the status subresource.
	status bool
	// rejected is how the message starts that names the scope; empty if the edit
	// must pass.
	rejected string
}

// tools is the message for the baseline as it was stored.
const tools = `scope "tools:read" is`

// edits of an object that the hand-ratcheted rule would not let in.
var edits = map[string][]step{
	"unrelated field":             {{set: map[string]any{"spec.replicas": int64(3)}}},
	"unrelated field of config":   {{set: map[string]any{authServer + ".tokenLifespans": map[string]any{"accessTokenLifespan": "30m"}}}},
	"upstream providers":          {{set: map[string]any{authServer + ".primaryUpstreamProvider": "corporate"}}},
	"label":                       {{set: map[string]any{"metadata.labels": map[string]any{"team": "tools"}}}},
	"annotation":                  {{set: map[string]any{"metadata.annotations": map[string]any{"note": "tools"}}}},
	"finalizer added":             {{set: map[string]any{"metadata.finalizers": []any{finalizer, finalizer + "-too"}}}},
	"finalizer removed":           {{remove: []string{"metadata.finalizers"}}},
	"status":                      {{status: true, set: map[string]any{"status.observedGeneration": int64(1)}}},
	"audience":                    {{set: map[string]any{oidcConfigRef + ".audience": "https://other.example.com"}}},
	"empty scopesSupported":       {{set: map[string]any{supported: []any{}}}},
	"other invalid baseline":      {{set: map[string]any{baseline: []any{"tools:write"}}, rejected: `scope "tools:write" is`}},
	"baseline reordered":          {{set: map[string]any{baseline: []any{"tools:read", "openid"}}, rejected: tools}},
	"baseline with one more":      {{set: map[string]any{baseline: []any{"openid", "tools:read", "email"}}, rejected: tools}},
	"other scopes":                {{set: map[string]any{scopes: []any{"openid", "email"}}, rejected: tools}},
	"type away and back":          {{set: map[string]any{incomingType: "anonymous"}}, {restore: []string{incomingType}, rejected: tools}},
	"scopesSupported for a while": {{set: map[string]any{supported: []any{"openid", "tools:read"}}}, {remove: []string{supported}, rejected: tools}},
	"scopesSupported emptied":     {{set: map[string]any{supported: []any{"openid", "tools:read"}}}, {set: map[string]any{supported: []any{}}, rejected: tools}},
	"config away and back":        {{remove: []string{authServer}}, {restore: []string{authServer}, rejected: tools}},
	"baseline away and back":      {{remove: []string{baseline}}, {restore: []string{baseline}, rejected: tools}},
	"scopes away and back":        {{remove: []string{scopes}}, {restore: []string{scopes}, rejected: tools}},
	"scopes emptied and back":     {{set: map[string]any{scopes: []any{}}}, {restore: []string{scopes}, rejected: tools}},
	"reference away and back": {
		{set: map[string]any{incomingType: "anonymous"}, remove: []string{oidcConfigRef}},
		{restore: []string{incomingType, oidcConfigRef}, rejected: tools},
	},
	"repaired in the baseline": {{set: map[string]any{baseline: []any{"openid"}}}, {restore: []string{baseline}, rejected: tools}},
	"repaired in the scopes":   {{set: map[string]any{scopes: []any{"openid", "tools:read"}}}, {restore: []string{scopes}, rejected: tools}},
	"unrelated field, then the baseline": {
		{set: map[string]any{"spec.replicas": int64(3)}},
		{set: map[string]any{baseline: []any{"tools:write"}}, rejected: `scope "tools:write" is`},
		{set: map[string]any{"spec.replicas": int64(4)}},
	},
}

// TestRatcheting stores what the rules forbid and edits it.
func TestRatcheting(t *testing.T) {
	s, cases := newSuite(t), loadCases(t)
	byPath, rejects := map[string]corpus.Case{}, []corpus.Case{}
	for _, c := range cases {
		byPath[c.Path] = c
		if !c.Accept {
			rejects = append(rejects, c)
		}
	}
	names := slices.Sorted(maps.Keys(edits))
	s.withoutRules(t, cases, func() {
		for i := range names {
			object := s.object(byPath[storedInvalid].Object, "v1beta1", fmt.Sprintf("edit-%d", i))
			object.SetFinalizers([]string{finalizer})
			if err := s.Create(t.Context(), object); err != nil {
				t.Fatal(err)
			}
		}
		for i, c := range rejects {
			for name, object := range map[string]*unstructured.Unstructured{
				fmt.Sprintf("case-%d", i): withoutOpaqueContent(t, c.Object), fmt.Sprintf("full-%d", i): c.Object,
			} {
				if err := s.Create(t.Context(), s.object(object, "v1beta1", name)); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
	for i, name := range names {
		t.Run("baseline-in-advertised-scopes/"+name, func(t *testing.T) {
			t.Parallel()
			s.checkEdits(t, fmt.Sprintf("edit-%d", i), byPath[storedInvalid].Object, edits[name])
		})
	}
	for i, c := range rejects {
		t.Run("native/"+c.Path, func(t *testing.T) {
			t.Parallel()
			s.checkUnrelatedEdits(t, fmt.Sprintf("case-%d", i), c)
		})
	}
	for i, c := range rejects {
		if !ratchetsByHand(t, c) {
			continue
		}
		t.Run("opaque/"+c.Path, func(t *testing.T) {
			t.Parallel()
			s.checkUnrelatedEdits(t, fmt.Sprintf("full-%d", i), c)
		})
	}
}

// checkEdits makes the steps one after the other, by turns in both versions.
func (s suite) checkEdits(t *testing.T, name string, original *unstructured.Unstructured, steps []step) {
	t.Helper()
	for i, step := range steps {
		object := s.object(original, []string{"v1beta1", "v1alpha1"}[i%2], name)
		if err := s.Get(t.Context(), client.ObjectKeyFromObject(object), object); err != nil {
			t.Fatal(err)
		}
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
			Message: "Invalid value: " + step.rejected + " not in spec.incomingAuth.oidcConfigRef.scopes: add it there, or remove it from baselineClientScopes",
		}}
		if diff := cmp.Diff(want, causes(err)); diff != "" {
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

// checkUnrelatedEdits edits what no rule reads of an object that a rule rejects:
// the metadata, the status, and the spec beside the place where the rule stands.
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

// ratchetsByHand tells whether the rule that rejects a case reads the old object
// itself, so that opaque content beside what it reads does not matter.
func ratchetsByHand(t *testing.T, c corpus.Case) bool {
	t.Helper()
	schemas, err := corpus.Schemas()
	if err != nil {
		t.Fatal(err)
	}
	for _, schema := range schemas {
		rules, err := corpus.Rules(schema, version.MustParseGeneric(corpus.OldestKubernetes))
		if err != nil {
			t.Fatal(err)
		}
		for _, rule := range rules {
			if rule.Kind == c.Object.GetKind() && rule.Field() == c.Causes[0].Field && rule.OptionalOldSelf != nil {
				return true
			}
		}
	}
	return false
}

// withoutOpaqueContent returns a copy in which opaque fields are there, but
// empty.
func withoutOpaqueContent(t *testing.T, object *unstructured.Unstructured) *unstructured.Unstructured {
	t.Helper()
	schemas, err := corpus.Schemas()
	if err != nil {
		t.Fatal(err)
	}
	object = object.DeepCopy()
	for _, kind := range schemas {
		if kind.Kind == object.GetKind() {
			empty(object.Object, kind.Structural)
		}
	}
	return object
}

func empty(value any, s *schema.Structural) {
	switch value := value.(type) {
	case map[string]any:
		for name, field := range value {
			property, known := s.Properties[name]
			switch {
			case known:
				empty(field, &property)
			case s.XPreserveUnknownFields:
				delete(value, name)
			}
		}
	case []any:
		for _, entry := range value {
			empty(entry, s.Items)
		}
	}
}

// TestEveryRuleIsStored keeps TestRatcheting from passing over a rule.
func TestEveryRuleIsStored(t *testing.T) {
	accepts, rejects := map[string]bool{}, map[string]bool{}
	for _, c := range loadCases(t) {
		if c.Accept {
			accepts[path.Dir(c.Path)] = true
		} else {
			rejects[path.Dir(c.Path)] = true
		}
	}
	if diff := cmp.Diff(accepts, rejects); diff != "" {
		t.Errorf("folders with accept cases, with reject cases (-accept +reject):\n%s", diff)
	}
}

func causes(err error) []metav1.StatusCause {
	status, ok := err.(apierrors.APIStatus)
	if !ok || status.Status().Details == nil {
		return nil
	}
	return status.Status().Details.Causes
}

func set(t *testing.T, object *unstructured.Unstructured, path string, value any) {
	t.Helper()
	if err := unstructured.SetNestedField(object.Object, value, strings.Split(path, ".")...); err != nil {
		t.Fatal(err)
	}
}
