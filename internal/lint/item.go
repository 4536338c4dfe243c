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
	// notObject says what the item is instead of an object.
	notObject string
}

// subject is the object of a document that findings are about.
type subject struct {
	id     Object
	result *result
	// index is the index of the item in its document.
	index int
}

// generatedSuffix stands for the end of a name that the API server generates. No
// name can contain it.
const generatedSuffix = "*"

// generated reports whether the API server generates the name. The object is then
// none of the others.
func (s subject) generated() bool { return strings.HasSuffix(s.id.Name, generatedSuffix) }

// report adds a finding about the object.
func (s subject) report(rule *Rule, found Finding) {
	found.Object, found.item = &s.id, s.index
	s.result.add(rule, found)
}

// reportOnce adds a finding, unless it is there: equal objects can be in several
// pairs.
func (s subject) reportOnce(rule *Rule, found Finding) {
	if !slices.ContainsFunc(s.result.findings, func(other Finding) bool {
		return other.Rule == rule.ID && other.item == s.index && other.Field == found.Field && other.Message == found.Message
	}) {
		s.report(rule, found)
	}
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
// without one. If the document can't be decoded, it adds a finding to the result.
func (r *result) items(namespace string) []item {
	content, problem := r.document.decode()
	if problem != nil {
		r.add(problem.rule, Finding{Message: problem.message, Place: r.document.place(problem.node)})
		return nil
	}
	if content.value == nil {
		return nil
	}
	items := unpack(newItem(content.value, content.node, content.duplicates))
	for index := range items {
		items[index].identify(namespace)
		items[index].result, items[index].index = r, index
	}
	return items
}

func newItem(value any, node *yaml.Node, duplicates []duplicate) item {
	made := item{Unstructured: &unstructured.Unstructured{Object: map[string]any{}}, node: node, duplicates: duplicates}
	switch value := value.(type) {
	case map[string]any:
		made.Object = value
	case []any:
		made.notObject = "a list"
	case nil:
		made.notObject = "null"
	default:
		made.notObject = "a single value"
	}
	return made
}

func unpack(list item) []item {
	entries, isList := list.Object["items"].([]any)
	if !isList || !strings.HasSuffix(list.GetKind(), "List") {
		return []item{list}
	}
	var items []item
	nodes := resolveAlias(find(list.node, "items", false))
	for i, entry := range entries {
		path := "items[" + strconv.Itoa(i) + "]."
		child := newItem(entry, list.node, nil)
		if nodes.Kind == yaml.SequenceNode && i < len(nodes.Content) {
			child.node = resolveAlias(nodes.Content[i])
		}
		for _, d := range list.duplicates {
			if below, ok := strings.CutPrefix(d.path, path); ok {
				child.duplicates = append(child.duplicates, duplicate{below, d.node})
			}
		}
		// The kind of a typed list determines the kind of its items.
		if _, ok := child.Object["kind"]; !ok && child.notObject == "" && strings.HasPrefix(list.GetAPIVersion(), group+"/") {
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
		Namespace: cmp.Or(i.GetNamespace(), namespace), Name: i.GetName(),
	}
	if prefix := i.GetGenerateName(); i.id.Name == "" && prefix != "" {
		i.id.Name = prefix + generatedSuffix
	}
}
