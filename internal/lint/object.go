package lint

import (
	"strconv"
	"strings"

	yaml "go.yaml.in/yaml/v3"
)

// item is an object within a document: the document itself, or an item of a
// List.
type item struct {
	document document
	// index is of the value within the document, path that of the object within
	// the value: empty, or such as items[3].
	index  int
	path   string
	node   *yaml.Node
	object map[string]any
	// duplicates are the keys that the object has twice.
	duplicates []duplicate
}

// maxLists bounds how deep Lists lie in one another.
const maxLists = 5

// unpack returns the objects of a value. What is no object is none of ours.
func unpack(d document, index int, v value) []item {
	object, ok := v.value.(map[string]any)
	if !ok {
		return nil
	}
	return unpackObject(item{document: d, index: index, node: v.node, object: object, duplicates: v.duplicates}, 0)
}

func unpackObject(at item, level int) []item {
	list, isList := at.object["items"].([]any)
	if name, _ := at.object["kind"].(string); !isList || !strings.HasSuffix(name, "List") || level == maxLists {
		return []item{at}
	}
	var items []item
	nodes := resolveAlias(find(at.node, "items", false))
	for i, entry := range list {
		object, ok := entry.(map[string]any)
		if !ok {
			continue
		}
		step := "items[" + strconv.Itoa(i) + "]"
		child := item{document: at.document, index: at.index, path: strings.TrimPrefix(at.path+"."+step, "."), object: object, node: at.node}
		if nodes.Kind == yaml.SequenceNode && i < len(nodes.Content) {
			child.node = resolveAlias(nodes.Content[i])
		}
		for _, d := range at.duplicates {
			if rest, ok := strings.CutPrefix(d.path, step+"."); ok {
				child.duplicates = append(child.duplicates, duplicate{path: rest, node: d.node})
			}
		}
		// The kind of a typed list's items follows from that of the list.
		if _, ok := object["kind"]; !ok && strings.HasPrefix(text(at.object, "apiVersion"), group+"/") {
			object["kind"], object["apiVersion"] = strings.TrimSuffix(text(at.object, "kind"), "List"), at.object["apiVersion"]
		}
		items = append(items, unpackObject(child, level+1)...)
	}
	return items
}

// id names the object; the namespace is the given one where the object has none.
func (i item) id(namespace string) Object {
	metadata, _ := i.object["metadata"].(map[string]any)
	id := Object{APIVersion: text(i.object, "apiVersion"), Kind: text(i.object, "kind"), Namespace: text(metadata, "namespace"), Name: text(metadata, "name")}
	if id.Namespace == "" {
		id.Namespace = namespace
	}
	if id.Name == "" {
		id.Name = text(metadata, "generateName")
	}
	return id
}

func text(object map[string]any, key string) string {
	value, _ := object[key].(string)
	return value
}

// offending is the node that a finding points at.
func offending(root *yaml.Node, path, message string, key bool) *yaml.Node {
	if path == "" {
		return root
	}
	return quotedItem(find(root, path, key), message)
}
