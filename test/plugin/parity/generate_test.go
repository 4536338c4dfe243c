package parity_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"

	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"
)

var versions = []string{"v1beta1", "v1alpha1"}

type manifest struct {
	object  *unstructured.Unstructured
	stored  *unstructured.Unstructured
	version string
	// duplicate repeats a line of the text, which is possible only in text.
	duplicate bool
	// mutations describe the changes of a case of the corpus.
	mutations []string
}

func (m manifest) text() ([]byte, error) {
	m.object.SetAPIVersion("toolhive.stacklok.dev/" + m.version)
	text, err := yaml.Marshal(m.object.Object)
	if err != nil || !m.duplicate {
		return text, err
	}
	return append(text, "kind: "+m.object.GetKind()+"\n"...), nil
}

// body returns the text, with the identity of the stored object.
func (m manifest) body() ([]byte, error) {
	if m.stored != nil {
		m.object = m.object.DeepCopy()
		m.object.SetResourceVersion(m.stored.GetResourceVersion())
	}
	return m.text()
}

// generator mutates objects at random, along their schemas.
type generator struct {
	*rand.Rand
	schemas map[string]*schema.Structural
}

// place is a value within an object: an entry of a mapping or of a list.
type place struct {
	path   string
	get    func() any
	set    func(any)
	remove func()
	rename func(string)
	schema *schema.Structural
}

func (g generator) pick(values ...any) any { return values[g.IntN(len(values))] }

func (g generator) mutate(m *manifest) {
	for range 1 + g.IntN(4) {
		if _, ok := m.object.Object["spec"]; !ok {
			return
		}
		places := collect(nil, field(m.object.Object, "spec", "spec", propertyOf(g.schemas[m.object.GetKind()], "spec")))
		at := places[g.IntN(len(places))]
		how := mutations[g.IntN(len(mutations))]
		if change := how(g, at); change != "" {
			m.mutations = append(m.mutations, change+" "+at.path)
		}
	}
	if g.IntN(5) == 0 {
		m.mutations = append(m.mutations, g.mutateMetadata(m))
	}
	if g.IntN(20) == 0 {
		m.duplicate = true
	}
}

func propertyOf(s *schema.Structural, name string) *schema.Structural {
	if s == nil {
		return nil
	}
	if property, ok := s.Properties[name]; ok {
		return &property
	}
	return nil
}

// field is the place of an entry of a mapping.
func field(within map[string]any, name, path string, s *schema.Structural) place {
	return place{
		path: path, schema: s,
		get: func() any { return within[name] }, set: func(v any) { within[name] = v }, remove: func() { delete(within, name) },
		rename: func(other string) { within[other] = within[name]; delete(within, name) },
	}
}

// collect adds a place, and all places below it.
func collect(places []place, at place) []place {
	places = append(places, at)
	switch value := at.get().(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(value)) {
			places = collect(places, field(value, name, at.path+"."+name, propertyOf(at.schema, name)))
		}
	case []any:
		for i := range value {
			below := place{path: fmt.Sprintf("%s[%d]", at.path, i), get: func() any { return value[i] }, set: func(v any) { value[i] = v }}
			if at.schema != nil {
				below.schema = at.schema.Items
			}
			places = collect(places, below)
		}
	}
	return places
}

// mutations change a value. They return "" if they do not apply.
var mutations = []func(generator, place) string{
	func(_ generator, at place) string {
		if at.remove == nil {
			return ""
		}
		at.remove()
		return "remove"
	},
	func(g generator, at place) string {
		if at.rename == nil {
			return ""
		}
		name := at.path[strings.LastIndexByte(at.path, '.')+1:]
		at.rename(g.pick(name+"x", strings.ToUpper(name), "x"+name).(string))
		return "rename"
	},
	func(g generator, at place) string {
		at.set(g.pick("text", int64(7), true, 1.5, nil, []any{}, map[string]any{}, []any{"a"}, map[string]any{"a": "b"}, ""))
		return "retype"
	},
	func(g generator, at place) string {
		if _, ok := at.get().(string); !ok {
			return ""
		}
		at.set(g.pick("", "x", "UPPER", "http://example.com", "https://example.com", "a b", strings.Repeat("l", 300), "oidc", "anonymous", "embeddedAuthServer",
			"é\"'", "openid", "none", "redis", "oauth2", "-1", "10m", "true").(string))
		return "rewrite"
	},
	mutateScopes, mutateScopes, mutateScopes, addField, addField,
	func(g generator, at place) string {
		list, ok := at.get().([]any)
		if !ok || len(list) == 0 {
			return ""
		}
		for range 1 + g.IntN(12) {
			list = append(list, runtime.DeepCopyJSONValue(list[g.IntN(len(list))]))
		}
		at.set(list)
		return "repeat items of"
	},
}

var scopes = []any{"openid", "profile", "email", "offline_access", "offline-access", "OpenID", "admin", "tools:read", "a b", "", strings.Repeat("s", 257), `q"uote`}

// mutateScopes writes a list of scopes where one is or may be.
func mutateScopes(g generator, at place) string {
	list := make([]any, g.IntN(12))
	for i := range list {
		list[i] = scopes[g.IntN(len(scopes))]
		if g.IntN(3) > 0 {
			list[i] = scopes[g.IntN(4)]
		}
	}
	for _, name := range []string{"baselineClientScopes", "scopesSupported", "scopes"} {
		if strings.HasSuffix(at.path, "."+name) {
			at.set(list)
			return "rescope"
		}
	}
	object, ok := at.get().(map[string]any)
	if !ok || at.schema == nil {
		return ""
	}
	for _, name := range []string{"baselineClientScopes", "scopesSupported", "scopes"} {
		if _, known := at.schema.Properties[name]; known && g.IntN(2) == 0 {
			object[name] = list
			return "add " + name + " to"
		}
	}
	return ""
}

func addField(g generator, at place) string {
	object, ok := at.get().(map[string]any)
	if !ok || at.schema == nil {
		return ""
	}
	names := slices.Sorted(maps.Keys(at.schema.Properties))
	if len(names) == 0 || g.IntN(6) == 0 {
		object["unknown"] = g.pick("a", int64(1), map[string]any{"b": "c"})
		return "add unknown to"
	}
	name := names[g.IntN(len(names))]
	property := at.schema.Properties[name]
	object[name] = g.value(&property, 0)
	return "add " + name + " to"
}

func (g generator) value(s *schema.Structural, level int) any {
	if s.ValueValidation != nil && len(s.ValueValidation.Enum) > 0 && g.IntN(5) > 0 {
		return s.ValueValidation.Enum[g.IntN(len(s.ValueValidation.Enum))].Object
	}
	switch s.Type {
	case "string":
		return g.pick("", "name", "https://example.com", "10s", "Not A Name")
	case "boolean":
		return g.IntN(2) == 0
	case "integer":
		return g.pick(int64(0), int64(-1), int64(8080), int64(1<<40), 1.5)
	case "number":
		return g.pick(int64(1), 0.5, -1.5)
	case "array":
		list := []any{}
		for range g.IntN(3) {
			if s.Items != nil && level < 4 {
				list = append(list, g.value(s.Items, level+1))
			}
		}
		return list
	default:
		object := map[string]any{}
		for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
			if level < 4 && g.IntN(3) == 0 {
				property := s.Properties[name]
				object[name] = g.value(&property, level+1)
			}
		}
		if s.AdditionalProperties != nil && s.AdditionalProperties.Structural != nil {
			object["key.with/dots"] = g.value(s.AdditionalProperties.Structural, level+1)
		}
		return object
	}
}

func (g generator) mutateMetadata(m *manifest) string {
	metadata, ok := m.object.Object["metadata"].(map[string]any)
	if !ok {
		return "nothing"
	}
	switch g.IntN(7) {
	case 0:
		metadata["labels"] = g.pick(map[string]any{"a": "b"}, map[string]any{"a": int64(1)}, map[string]any{"-": "b"}, map[string]any{"a": "not a value"}, "text", nil)
	case 1:
		metadata["annotations"] = g.pick(map[string]any{"a/b": "c d"}, map[string]any{"a": true}, map[string]any{"a b": "c"}, []any{})
	case 2:
		metadata["unknown"] = "a"
	case 3:
		metadata["finalizers"] = g.pick([]any{"example.com/a"}, []any{"bad name"}, []any{""}, "text")
	case 4:
		metadata["ownerReferences"] = []any{map[string]any{"apiVersion": "v1", "kind": "Pod", "name": g.pick("p", ""), "uid": g.pick("u", "")}}
	case 5:
		if m.stored == nil {
			metadata["name"] = g.pick("Upper", "a.b", "-", strings.Repeat("n", 254), int64(5), nil)
		}
	case 6:
		m.object.Object["status"] = g.pick(map[string]any{"observedGeneration": int64(4)}, map[string]any{"unknown": "a"}, map[string]any{"observedGeneration": "x"}, "text")
	}
	return "metadata"
}
