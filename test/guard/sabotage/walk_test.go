package sabotage_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// mutation is one change of an object: the variants of one, of which the first that
// the API server accepts is tried.
type mutation struct {
	name     string
	variants []*unstructured.Unstructured
}

// mutations returns a deletion of each field and list entry below a field of an
// object, and a change of each leaf.
func mutations(object *unstructured.Unstructured, field string) []mutation {
	var all []mutation
	add := func(path []any, verb string, values ...any) {
		made := mutation{name: fmt.Sprintf("%s %s: %s %s", object.GetKind(), object.GetName(), verb, describe(path))}
		for _, value := range values {
			changed := object.DeepCopy()
			changed.Object[field] = replace(changed.Object[field], path[1:], value)
			made.variants = append(made.variants, changed)
		}
		all = append(all, made)
	}
	var walk func(value any, path []any)
	walk = func(value any, path []any) {
		if len(path) > 1 {
			add(path, "delete", deleted{})
		}
		switch value := value.(type) {
		case map[string]any:
			for _, key := range slices.Sorted(maps.Keys(value)) {
				walk(value[key], append(slices.Clone(path), key))
			}
		case []any:
			for i, entry := range value {
				walk(entry, append(slices.Clone(path), i))
			}
		case string:
			add(path, "change", alternatives(path, value)...)
		}
	}
	walk(object.Object[field], []any{field})
	return all
}

func describe(path []any) string {
	var text strings.Builder
	for i, step := range path {
		switch step := step.(type) {
		case int:
			fmt.Fprintf(&text, "[%d]", step)
		default:
			if i > 0 {
				text.WriteByte('.')
			}
			fmt.Fprint(&text, step)
		}
	}
	return text.String()
}

// deleted as a value deletes a field or an entry.
type deleted struct{}

// replace returns container with a value at a path.
func replace(container any, path []any, value any) any {
	if len(path) == 0 {
		return value
	}
	switch container := container.(type) {
	case map[string]any:
		key := path[0].(string)
		if container[key] = replace(container[key], path[1:], value); container[key] == (deleted{}) {
			delete(container, key)
		}
		return container
	case []any:
		i := path[0].(int)
		if container[i] = replace(container[i], path[1:], value); container[i] == (deleted{}) {
			return slices.Delete(container, i, i+1)
		}
		return container
	default:
		panic(fmt.Sprintf("nothing at %v", path))
	}
}

// alternatives returns other values of a leaf, the one that changes most first.
func alternatives(path []any, value string) []any {
	field := path[len(path)-1]
	if _, isEntry := field.(int); isEntry {
		field = path[len(path)-2]
	}
	known := map[any][]any{
		"failurePolicy": {"Fail"}, "matchPolicy": {"Exact"}, "scope": {"*"}, "operations": {"DELETE", "CONNECT"}, "operator": {"Exists", "In", "NotIn"},
		"reason": {"Unauthorized"}, "validationActions": {"Audit", "Warn", "Deny"}, "parameterNotFoundAction": {"Deny"},
		"messageExpression": {"'nothing'"}, "kind": {"MCPOIDCConfig"},
		// A variable has another type than others expect, so a space may be all that can change.
		"expression": {"true", "false", "[]", "''", "[[], []]", value + " "},
		"apiVersion": {"toolhive.stacklok.dev/v1alpha1"}, "type": {"unauthenticated"}, "baselineClientScopes": {"openid"},
	}
	if found := known[field]; found != nil {
		return slices.DeleteFunc(found, func(other any) bool { return other == value })
	}
	if value == "0" {
		return []any{"5"}
	}
	return []any{value + "-x", "x"}
}

// with returns an object with a value at a path, whose last step may be new.
func with(object *unstructured.Unstructured, value any, path ...any) *unstructured.Unstructured {
	changed := object.DeepCopy()
	replace(changed.Object, path, value)
	return changed
}

// same reports whether two objects differ in nothing that a sabotage changes.
func same(a, b *unstructured.Unstructured) bool {
	for _, field := range []string{"spec", "rules", "subjects"} {
		if !equality.Semantic.DeepEqual(a.Object[field], b.Object[field]) {
			return false
		}
	}
	return true
}
