package lock

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/scopegate/scopegate/test/guard/lockeval"
)

// TestByHand: of what somebody may make by hand of a text the lock says what
// ToolHive makes of it, or that it can't be read.
func TestByHand(t *testing.T) {
	counts, start := &tally{}, time.Now()
	for _, difference := range compareByHand(t, evaluator(t), 2**cases, 10, counts) {
		t.Error(difference)
	}
	t.Logf("%d edited configs, %.1f s: %s", 2**cases, time.Since(start).Seconds(), counts)
}

// compareByHand returns the differences over random edits of random configs, up
// to so many.
func compareByHand(t *testing.T, e *lockeval.Evaluator, count, most int, counts *tally) []string {
	found := &differences{most: most}
	parallel(count, found.enough, func(r random, number int) {
		a, err := r.encode()
		if err != nil {
			return
		}
		for range 1 + r.IntN(3) {
			a.text = r.edit(a)
		}
		want, decodeErr := decode(a)
		outcome, err := e.Evaluate(t.Context(), lockeval.ConfigMap(a.data()), denying, nil)
		switch {
		case err != nil:
			found.add(fmt.Sprintf("case %d (-seed %d): %v\n%s", number, *seed, err, a.text))
		case decodeErr != nil:
			counts.add("not decodable: " + outcome.State)
		case outcome.State == lockeval.Unreadable:
			counts.add(fmt.Sprintf("unreadable missing %d", min(want, 1)))
		default:
			counts.add(fmt.Sprintf("%s missing %d", outcome.State, min(want, 1)))
			if outcome.Missing != want || outcome.Admitted != (want == 0) {
				found.add(fmt.Sprintf("case %d (-seed %d): ToolHive misses %d scopes, the lock: %+v\n%s\n%q", number, *seed, want, outcome, a.text, a.text))
			}
		}
	})
	return found.all
}

// edit changes a text as a person, another tool or an adversary might.
func (r random) edit(a artefact) string {
	text := a.text
	if r.one(6) {
		if a.key == yamlKey {
			return r.relayYAML(text)
		}
		return r.relayJSON(text)
	}
	lines := strings.Split(text, "\n")
	at := func() int { return r.IntN(len(lines)) }
	// Mostly near what matters.
	for i, line := range lines {
		if (strings.Contains(line, "baseline_client_scopes") || strings.Contains(line, "scopes_supported") || strings.Contains(line, "embedded_auth")) && r.one(2) {
			near := i
			at = func() int { return min(max(near+r.IntN(5)-1, 0), len(lines)-1) }
		}
	}
	i, j := at(), at()
	if r.one(2) {
		lines = r.editLines(a.key, lines, min(i, j), max(i, j))
	} else {
		lines[i] = r.editLine(a.key, lines[i])
	}
	return strings.Join(lines, "\n")
}

// editLines changes lines from i to j, or makes more or fewer of them.
func (r random) editLines(key string, lines []string, i, j int) []string {
	switch r.IntN(7) {
	case 0:
		return slices.Delete(lines, i, i+1)
	case 1:
		return slices.Insert(lines, i, lines[j])
	case 2:
		lines[i], lines[j] = lines[j], lines[i]
	case 3:
		return slices.Insert(lines, i, r.line(key))
	case 4:
		if i+1 < len(lines) {
			lines[i] += pick(r, "", " ", "  ") + strings.TrimLeft(lines[i+1], " ")
			return slices.Delete(lines, i+1, i+2)
		}
	case 5:
		// A block out of its parent, or deeper.
		shift := pick(r, "  ", "    ", " ")
		for k := i; k <= j; k++ {
			if r.one(2) {
				lines[k] = shift + lines[k]
			} else {
				lines[k] = strings.TrimPrefix(lines[k], shift)
			}
		}
	default:
		// Lines that are no structure, but part of a text over lines.
		if key == yamlKey {
			// Mostly all of a list.
			if k := slices.Index(lines, pick(r, "baseline_client_scopes:", "scopes_supported:")); k >= 0 && !r.one(4) {
				for i, j = k, k+1; j < len(lines)-1 && strings.HasPrefix(lines[j], " "); j++ {
				}
			}
			around := pick(r, [2]string{"x: \"", "  \""}, [2]string{"x: '", "  '"}, [2]string{"x: [", "]"}, [2]string{"x:\n    - \"", "      \""},
				[2]string{"x: |", "y: 1"}, [2]string{"? \"", "\"\n: x"})
			return slices.Insert(slices.Insert(lines, j, around[1]), i, around[0])
		}
	}
	return lines
}

// editLine changes a line, or makes two of it.
func (r random) editLine(key, line string) string {
	text := strings.TrimLeft(line, " ")
	cut := r.IntN(len(line) + 1)
	switch r.IntN(7) {
	case 0:
		return strings.Repeat(" ", r.IntN(9)) + text
	case 1:
		return strings.Replace(line, "  ", "\t", 1)
	case 2:
		return line[:len(line)-len(text)] + strings.TrimLeft(r.line(key), " ")
	case 3:
		return line[:cut] + pick(r, "\n", "\n  ", "\n    ", "\r\n", "\u2028") + line[cut:]
	case 4:
		return line + pick(r, " ", " # a", "\r", ",", ":", "\"", "'", " {", "[", "}", "]", " |-", " &a", "\t", "\\")
	case 5:
		for _, name := range []string{"baseline_client_scopes", "scopes_supported", "embedded_auth_server_config", "schema_version"} {
			line = strings.Replace(line, name, r.spell(name), 1)
		}
		return line
	default:
		return line[:cut] + pick(r, "", "\"", "'", ":", "-", "{", "}", "[", "]", ",", " ", "#", "\\", "|", "é") + line[min(cut+r.IntN(2), len(line)):]
	}
}

// spell writes a key otherwise.
func (r random) spell(key string) string {
	switch r.IntN(6) {
	case 0:
		return strings.ToUpper(key)
	case 1:
		return strings.ReplaceAll(key, "s", "ſ")
	case 2:
		return strings.ReplaceAll(key, "_", "\\u005f")
	case 3:
		return strings.Replace(key, "e", "\\u0065", 1)
	case 4:
		return strings.Replace(key, "e", "\\x65", 1)
	default:
		return strings.ToUpper(key[:1]) + key[1:]
	}
}

// line returns one that matters where it is read as structure.
func (r random) line(key string) string {
	indent := strings.Repeat(" ", 2*r.IntN(4))
	if key == yamlKey {
		return indent + pick(r, "baseline_client_scopes: [x, openid]", "baseline_client_scopes:", "\"baseline_client_scopes\": [x]", "'baseline_client_scopes':", "? baseline_client_scopes", ": - x",
			"baseline_client_scopes: &a", "scopes_supported: *a", "scopes_supported: []", "scopes_supported: [x,", "- x", "- - x", "- x: y", "- \"x", "x\"", "- 'x", "- x # y", "# baseline_client_scopes:", "---", "...",
			"%YAML 1.1", "<<: {baseline_client_scopes: [x]}", "!!str issuer: x", "baseline_client_scopes: null", "baseline_client_scopes: !!seq", "\"baseline\\x5fclient_scopes\": [x]", "x", "- |", "- >-", "|-", "- |-",
			"baseline_client_scopes : [x]", "{baseline_client_scopes: [x]}", "issuer: \"", "issuer: '", "upstreams: [", "]", "}", "\"", "'", "schema_version: v0.2.0", "issuer: |", "issuer: |2-", "")
	}
	return indent + pick(r, `"baseline_client_scopes": ["x"],`, `"baseline_client_scopes": [`, `"scopes_supported": [`, `"scopes_supported": ["x"],`, `"scopes_supported": [],`, `"scopes_supported": null,`, `"embedded_auth_server_config": {`,
		`"embedded_auth_server_config": {"baseline_client_scopes": ["x"]},`, `"Embedded_Auth_Server_Config": {"baseline_client_scopes": ["x"]},`, `"embedded_auth_server_config": null,`, `"embedded_auth_server_config" : {`,
		`"x",`, `"openid",`, `}`, `},`, `],`, `]`, `{`, `"x": {`, `}, "embedded_auth_server_config": {`, `"y": 1}, "embedded_auth_server_config": {`, `"Scopes_Supported": ["x"],`, `"schema_version": "v0.2.0",`, `"x": "y"`, "")
}

// relayJSON is the same in another layout.
func (r random) relayJSON(text string) string {
	var out bytes.Buffer
	var err error
	switch r.IntN(6) {
	case 0:
		err = json.Compact(&out, []byte(text))
	case 1:
		err = json.Indent(&out, []byte(text), "", pick(r, " ", "    ", "\t", ""))
	case 2:
		err = json.Indent(&out, []byte(text), pick(r, " ", "  ", "\t"), "  ")
	case 3:
		return strings.ReplaceAll(text, "\n", "\r\n")
	case 4:
		return strings.Repeat(pick(r, " ", "\n", "\ufeff"), 1+r.IntN(2)) + text
	default:
		// As a YAML or jq user's tool writes it: keys sorted.
		var content any
		if err = json.Unmarshal([]byte(text), &content); err == nil {
			var sorted []byte
			sorted, err = json.MarshalIndent(content, "", "  ")
			out.Write(sorted)
		}
	}
	if err != nil {
		return text
	}
	return out.String()
}

// relayYAML is the same in another layout.
func (r random) relayYAML(text string) string {
	var content yaml.Node
	if err := yaml.Unmarshal([]byte(text), &content); err != nil || content.Kind == 0 {
		return text
	}
	root := content.Content[0]
	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	switch r.IntN(6) {
	case 0:
		encoder.SetIndent(pick(r, 1, 2, 3, 6, 8))
	case 1:
		root.Style = yaml.FlowStyle
	case 2:
		for _, node := range root.Content {
			if r.one(2) {
				node.Style = pick(r, yaml.FlowStyle, yaml.DoubleQuotedStyle, yaml.SingleQuotedStyle, yaml.LiteralStyle, yaml.FoldedStyle)
			}
		}
	case 3:
		for _, node := range root.Content {
			for _, child := range node.Content {
				if r.one(2) {
					child.Style = pick(r, yaml.DoubleQuotedStyle, yaml.SingleQuotedStyle, yaml.LiteralStyle, yaml.FoldedStyle, yaml.TaggedStyle)
				}
			}
		}
	case 4:
		node := root.Content[r.IntN(len(root.Content))]
		node.HeadComment, node.LineComment = pick(r, "", "baseline_client_scopes:"), pick(r, "", "x")
	default:
		if i := slices.IndexFunc(root.Content, func(n *yaml.Node) bool { return n.Kind == yaml.SequenceNode }); i >= 0 {
			root.Content[i].Anchor = "a"
			alias := &yaml.Node{Kind: yaml.AliasNode, Value: "a", Alias: root.Content[i]}
			root.Content = append(root.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: pick(r, "baseline_client_scopes", "x")}, alias)
		}
	}
	if err := encoder.Encode(&content); err != nil {
		return text
	}
	return out.String()
}
