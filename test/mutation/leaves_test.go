package main

import (
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/scopegate/scopegate/internal/testing/expect"
)

// TestChangesOf applies each change of a manifest to a fresh copy.
func TestChangesOf(t *testing.T) {
	const text = "a: {b: x, on: true, n: 5}\nlist: [v]\nrule: \"'a' in c\"\n"
	parsed := func() []*yaml.Node {
		document := &yaml.Node{}
		expect.NoError(t, yaml.Unmarshal([]byte(text), document))
		return []*yaml.Node{document}
	}
	got := map[string]string{}
	for i := range changesOf(parsed()) {
		documents := parsed()
		change := changesOf(documents)[i]
		change.apply()
		changed, err := yaml.Marshal(documents[0])
		expect.NoError(t, err)
		got[change.name] = string(changed)
	}
	const list, rule = "list: [v]\n", "rule: \"'a' in c\"\n"
	expect.Equal(t, "changes", map[string]string{
		"0.a.b deleted":     "a: {on: true, n: 5}\n" + list + rule,
		"0.a.b changed":     "a: {b: xx, on: true, n: 5}\n" + list + rule,
		"0.a.on deleted":    "a: {b: x, n: 5}\n" + list + rule,
		"0.a.on changed":    "a: {b: x, on: false, n: 5}\n" + list + rule,
		"0.a.n deleted":     "a: {b: x, on: true}\n" + list + rule,
		"0.a.n changed":     "a: {b: x, on: true, n: 51}\n" + list + rule,
		"0.list[0] deleted": "a: {b: x, on: true, n: 5}\nlist: []\n" + rule,
		"0.list[0] changed": "a: {b: x, on: true, n: 5}\nlist: [vx]\n" + rule,
		"0.list one more":   "a: {b: x, on: true, n: 5}\nlist: [v, vx]\n" + rule,
		"0.rule deleted":    "a: {b: x, on: true, n: 5}\n" + list,
		"0.rule changed":    "a: {b: x, on: true, n: 5}\n" + list + "rule: \"['a' in c][0] == null\"\n",
	}, got)
}
