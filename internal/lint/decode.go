package lint

import (
	"bytes"
	"errors"
	"io"
	"slices"

	"go.yaml.in/yaml/v3"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/json"
	kyaml "sigs.k8s.io/yaml"
)

// Limits of a document. The API server accepts at most 3 MiB in a request.
const (
	maxDocumentBytes = 4 << 20
	// maxDepth limits the nesting of values.
	maxDepth = 200
	// maxValues limits the keys and values of a document. maxAliased limits the
	// keys and values that its aliases expand to, and maxAliasedBytes their text.
	maxValues       = 1_000_000
	maxAliased      = 100_000
	maxAliasedBytes = maxDocumentBytes
)

// beginning is the start of a document.
var beginning = &yaml.Node{Kind: yaml.MappingNode, Line: 1, Column: 1}

// content is a decoded document: its value, and its YAML nodes.
type content struct {
	node       *yaml.Node
	value      any
	duplicates []duplicate
}

// duplicate is a repeated key of a mapping.
type duplicate struct {
	path string
	node *yaml.Node
}

// decode returns the content of a document. The values are the ones that kubectl
// sends and the API server reads, decoded by the same libraries. The nodes have
// the positions and the duplicate keys.
func (d document) decode() (content, *problem) {
	switch {
	case d.problem != nil:
		return content{}, d.problem
	case len(d.text) > maxDocumentBytes:
		return content{}, limit(beginning, "the document has %d bytes, but the limit is %d", len(d.text), maxDocumentBytes)
	}
	root, err := d.nodes()
	if err != nil {
		return content{}, d.syntaxProblem(err)
	}
	inspected := inspector{}
	if problem := inspected.visit(root, nil, 0, false); problem != nil {
		return content{}, problem
	}
	decoded, text := content{node: root}, d.text
	if !d.json {
		decoded.duplicates = inspected.duplicates
		// kubectl adds a newline at the end, which matters in a block scalar.
		if !bytes.HasSuffix(text, []byte("\n")) {
			text = slices.Concat(text, []byte("\n"))
		}
		if text, err = kyaml.YAMLToJSON(text); err != nil {
			return content{}, d.syntaxProblem(err)
		}
	}
	strict, err := json.UnmarshalStrict(text, &decoded.value)
	if err != nil {
		return content{}, d.syntaxProblem(err)
	}
	for _, err := range strict {
		var twice json.FieldError
		if errors.As(err, &twice) {
			decoded.duplicates = append(decoded.duplicates, duplicate{twice.FieldPath(), find(root, twice.FieldPath(), true)})
		}
	}
	return decoded, nil
}

// nodes returns the nodes of a document. JSON is YAML except for some escapes and
// long keys. If those keep it from being read, all positions are the start of the
// document.
func (d document) nodes() (*yaml.Node, error) {
	var root, rest yaml.Node
	decoder := yaml.NewDecoder(bytes.NewReader(d.text))
	err := decoder.Decode(&root)
	if err == nil {
		err = decoder.Decode(&rest)
	}
	switch {
	case errors.Is(err, io.EOF) && len(root.Content) > 0:
		return root.Content[0], nil
	case errors.Is(err, io.EOF) || d.json:
		return beginning, nil
	case err == nil:
		return nil, errors.New("a second document follows without a --- marker")
	default:
		return nil, err
	}
}

func tooDeep(node *yaml.Node) *problem {
	return limit(node, "values are nested more than %d levels deep", maxDepth)
}

// inspector checks the nodes of a document before they are decoded.
type inspector struct {
	values, aliased, aliasedBytes int
	duplicates                    []duplicate
}

// visit returns a problem at the first node that exceeds a limit. An alias within
// its own anchor ends at maxDepth.
func (i *inspector) visit(node *yaml.Node, path *field.Path, level int, aliased bool) *problem {
	if level > maxDepth {
		return tooDeep(node)
	}
	i.values++
	if aliased {
		i.aliased++
		i.aliasedBytes += len(node.Value)
	}
	if i.values > maxValues || i.aliased > maxAliased || i.aliasedBytes > maxAliasedBytes {
		return limit(node, "the document has more than %d keys and values, or its aliases expand to more than %d of them or %d bytes", maxValues, maxAliased, maxAliasedBytes)
	}
	switch node.Kind {
	case yaml.AliasNode:
		return i.visit(node.Alias, path, level+1, true)
	case yaml.SequenceNode:
		for index, item := range node.Content {
			if problem := i.visit(item, path.Index(index), level+1, aliased); problem != nil {
				return problem
			}
		}
	case yaml.MappingNode:
		return i.visitMapping(node, path, level, aliased)
	}
	return nil
}

func (i *inspector) visitMapping(node *yaml.Node, path *field.Path, level int, aliased bool) *problem {
	known := map[string]bool{}
	for n := 0; n+1 < len(node.Content); n += 2 {
		key := resolveAlias(node.Content[n])
		if key.Kind != yaml.ScalarNode || key.ShortTag() == "!!null" {
			// An unrendered template has such keys.
			return &problem{ruleSyntax, "a key must be a string, a number or a boolean", node.Content[n]}
		}
		if problem := i.visit(node.Content[n], path, level+1, aliased); problem != nil {
			return problem
		}
		below := path.Child(key.Value)
		if known[key.Value] && !isMerge(key) && !aliased && len(i.duplicates) <= maxFindings {
			i.duplicates = append(i.duplicates, duplicate{below.String(), node.Content[n]})
		}
		known[key.Value] = true
		if problem := i.visit(node.Content[n+1], below, level+1, aliased); problem != nil {
			return problem
		}
	}
	return nil
}

func isMerge(key *yaml.Node) bool { return key.ShortTag() == "!!merge" }

func resolveAlias(node *yaml.Node) *yaml.Node {
	if node.Kind == yaml.AliasNode {
		return node.Alias
	}
	return node
}
