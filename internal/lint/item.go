package lint

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// item is an object within a document: the document itself, or an item of a
// List.
type item struct {
	*unstructured.Unstructured
	subject
	node       *yaml.Node
	duplicates []duplicate
}

// subject is the object of a document that findings are about.
type subject struct {
	id     Object
	result *result
	// index is the index of the item in its document.
	index int
}

// report adds a finding about the object.
func (s subject) report(rule *Rule, found Finding) {
	found.Object, found.item = &s.id, s.index
	s.result.add(rule, found)
}

// note adds a note to the findings of some rules about the object.
func (s subject) note(rules []string, note string) {
	for i := range s.result.findings {
		if found := &s.result.findings[i]; found.Object != nil && found.item == s.index && slices.Contains(rules, found.Rule) {
			found.Note = note
		}
	}
}

// items returns the objects of a document, and sets the namespace of those
// without one. It skips values that are not objects. If the document can't be
// decoded, it adds a finding to the result.
func (r *result) items(namespace string) []item {
	content, problem := r.document.decode()
	if problem != nil {
		r.add(problem.rule, Finding{Message: problem.message, Place: r.document.place(problem.node)})
		return nil
	}
	object, ok := content.value.(map[string]any)
	if !ok {
		return nil
	}
	items := unpack(item{Unstructured: &unstructured.Unstructured{Object: object}, node: content.node, duplicates: content.duplicates})
	for index := range items {
		items[index].identify(namespace)
		items[index].result, items[index].index = r, index
	}
	return items
}

func unpack(list item) []item {
	entries, isList := list.Object["items"].([]any)
	if !isList || !strings.HasSuffix(list.GetKind(), "List") {
		return []item{list}
	}
	var items []item
	nodes := resolveAlias(find(list.node, "items", false))
	for i, entry := range entries {
		object, ok := entry.(map[string]any)
		if !ok {
			continue
		}
		path := "items[" + strconv.Itoa(i) + "]."
		child := item{Unstructured: &unstructured.Unstructured{Object: object}, node: list.node}
		if nodes.Kind == yaml.SequenceNode && i < len(nodes.Content) {
			child.node = resolveAlias(nodes.Content[i])
		}
		for _, d := range list.duplicates {
			if below, ok := strings.CutPrefix(d.path, path); ok {
				child.duplicates = append(child.duplicates, duplicate{below, d.node})
			}
		}
		// The kind of a typed list determines the kind of its items.
		if _, ok := object["kind"]; !ok && strings.HasPrefix(list.GetAPIVersion(), group+"/") {
			child.SetKind(strings.TrimSuffix(list.GetKind(), "List"))
			child.SetAPIVersion(list.GetAPIVersion())
		}
		items = append(items, unpack(child)...)
	}
	return items
}

// identify sets the ID of an object, and its namespace, as kubectl does through
// the request path.
func (i *item) identify(namespace string) {
	if i.Object["metadata"] == nil {
		delete(i.Object, "metadata")
	}
	if i.GetNamespace() == "" {
		i.SetNamespace(namespace)
	}
	i.id = Object{
		APIVersion: i.GetAPIVersion(), Kind: i.GetKind(),
		Namespace: cmp.Or(i.GetNamespace(), namespace), Name: cmp.Or(i.GetName(), i.GetGenerateName()),
	}
}
