package guard

import (
	"fmt"
	"strings"

	admissionv1 "k8s.io/api/admissionregistration/v1"
)

// How a policy reads runconfig.json. CEL in an API server decodes no JSON, but
// ToolHive's encoder, json.MarshalIndent with two spaces, is deterministic: a
// string never holds a raw line break, so a line is structure and its
// indentation is its depth, and equal strings have equal text. A policy that
// relies on this has to know that it is so, and not only that it looks so:
//
//   - A text up to readable is proven to be in that layout, line by line and
//     step by step (canonicalJSON). Then the lines with two spaces are the keys
//     at depth 1, whatever keys are planted deeper.
//   - In a larger text this is proven of the section alone, and its key must not
//     be anywhere else in the text, in any spelling. A section that is not at
//     depth 1 then would count as if it were, which errs on the safe side.
//   - Whatever is neither is unreadable.

// readable is up to how many characters a text is proven to be in the layout of
// the encoder. The dearest expression then costs a third of what the API server
// allows; the run config of a workload has some 5,000.
const readable = 40_000

// deepest is the indentation up to which a JSON text is proven.
const deepest = 32

// mostEntries bounds a baseline, since each of its entries is looked for in a
// list. ToolHive's CRDs allow 10.
const mostEntries = 100

const (
	jsonKey     = "runconfig.json"
	sectionKey  = "embedded_auth_server_config"
	baselineKey = "baseline_client_scopes"
	scopesKey   = "scopes_supported"
	// schemaVersion is the one whose layout is known, of the text and of its section.
	schemaVersion = "v0.1.0"
)

// foldedSpellings matches what Go's decoder takes for the letters of a key, and
// a search for the key would miss: an escaped ASCII letter or underscore, and the
// two letters beyond ASCII that are the same as s and k but for their case.
const foldedSpellings = `\\u00[4-7]|\\u017|\\u212|ſ|K`

// jsonVariables read the run config of an MCPServer or an MCPRemoteProxy.
// jsonState is one of none, readable and unreadable; where it is readable,
// jsonBaseline and jsonScopes are the encoded entries.
func jsonVariables() []admissionv1.Variable {
	start := `\n  "` + sectionKey + `": {\n`
	return []admissionv1.Variable{
		{Name: "json", Expression: textOf(jsonKey)},
		{Name: "jsonLower", Expression: "variables.json.lowerAscii()"},
		{Name: "jsonFolded", Expression: "variables.json.matches(" + literal(foldedSpellings) + ")"},
		// Without a baseline there is nothing to judge, in whatever layout.
		{Name: "jsonMentioned", Expression: "variables.jsonLower.contains('" + baselineKey + "') || variables.jsonFolded"},
		{Name: "jsonSmall", Expression: fmt.Sprintf("size(variables.json) <= %d", readable)},
		{Name: "jsonKeys", Expression: "size(variables.jsonLower.split('\"" + sectionKey + "\"')) - 1"},
		{Name: "jsonParts", Expression: "variables.json.split('" + start + "')"},
		// The section with the line break before its first line, and its closing line.
		{Name: "jsonSection", Expression: `size(variables.jsonParts) == 2 ? '\n' + variables.jsonParts[1].split('\n  }', 2)[0] + '\n  }' : ''`},
		{Name: "jsonLines", Expression: `variables.jsonSmall ? '\n' + variables.json : ''`},
		{Name: "jsonProven", Expression: `variables.jsonLines.startsWith('\n{\n  "schema_version": "` + schemaVersion + `",\n') &&` + "\n" +
			canonicalJSON("variables.jsonLines", 0) + " &&\n" +
			// Every key at depth 1 is spelled in the one way that the encoder has.
			`!variables.jsonLines.matches(` + literal(`\n  "[a-z0-9_]*[^a-z0-9_"]`) + `) &&` + "\n" +
			`size(variables.jsonLines.split('\n  "` + sectionKey + `"')) <= 2`},
		{Name: "jsonProvenSection", Expression: `variables.json.startsWith('{\n  "schema_version": "` + schemaVersion + `",\n') &&` + "\n" +
			"!variables.jsonFolded && variables.jsonKeys == 1 && size(variables.jsonParts) == 2 &&\n" +
			fmt.Sprintf("size(variables.jsonSection) <= %d &&\n", readable) + canonicalJSON("variables.jsonSection", 4)},
		{Name: "jsonBaseline", Expression: jsonList(baselineKey)},
		{Name: "jsonScopes", Expression: jsonList(scopesKey)},
		{Name: "jsonReadable", Expression: `variables.jsonSection.startsWith('\n    "schema_version": "` + schemaVersion + `",\n') &&` + "\n" +
			`!variables.jsonSection.matches(` + literal(`\n    "[a-z0-9_]*[^a-z0-9_"]`) + `) &&` + "\n" +
			jsonListReadable(baselineKey) + " &&\n" + jsonListReadable(scopesKey) + fmt.Sprintf(" &&\nsize(variables.jsonBaseline) <= %d", mostEntries)},
		{Name: "jsonState", Expression: "!variables.jsonMentioned || !variables.jsonFolded && variables.jsonKeys == 0 ? 'none' :\n" +
			"!(variables.jsonSmall ? variables.jsonProven : variables.jsonProvenSection) ? 'unreadable' :\n" +
			"size(variables.jsonParts) == 2 ? (variables.jsonReadable ? 'readable' : 'unreadable') :\n" +
			// The key is deeper, or at depth 1 with another value than an object with entries.
			"variables.jsonLines.contains('\\n  \"" + sectionKey + "\"') ? 'unreadable' : 'none'"},
	}
}

// jsonListReadable tells whether the section has a list of strings by that key
// in the layout of the encoder, or no such key.
func jsonListReadable(key string) string {
	return `(!variables.jsonSection.contains('\n    "` + key + `"') ||` + "\n" +
		`size(variables.jsonSection.split('\n    "` + key + `"')) == 2 && variables.jsonSection.matches(` +
		literal(`\n    "`+key+`": \[(?:\n      `+jsonString+`,)*\n      `+jsonString+`\n    \][,\n]`) + `))`
}

// jsonList is the list of the section by that key, each entry as it is encoded.
func jsonList(key string) string {
	start := `'\n    "` + key + `": [\n      '`
	return "variables.jsonSection.contains(" + start + ") ?\n" +
		"variables.jsonSection.split(" + start + `, 2)[1].split('\n    ]', 2)[0].split(',\n      ') : []`
}

// jsonString matches a string as the encoder writes it.
const jsonString = `"(?:[^"\\\n]|\\[^\n])*"`

// encodedJSON matches an entry if each character is written as the encoder does.
const encodedJSON = `^"(?:[^"\\<>&\x{2028}\x{2029}]|\\(?:["\\bfnrt]|u(?:000[0-7bef]|001[0-9a-f]|003[ce]|0026|202[89]|fffd)))*"$`

// canonicalJSON tells whether every line of a text is one that the encoder
// writes, and follows from the line before: inside an opening line two deeper,
// beside a line with a comma as deep, and after the last entry the closing line
// two less deep. If the text can be decoded, then the indentation of every line
// is its depth. from is the indentation of the first line.
func canonicalJSON(text string, from int) string {
	line := `\n *(?:(?:` + jsonString + `: )?(?:[{\[]|(?:` + jsonString + `|[-+.0-9a-zA-Z]+|\{\}|\[\]),?)|[}\]],?)`
	checks := []string{
		fmt.Sprintf(`%s.startsWith('\n%s')`, text, strings.Repeat(" ", from)),
		fmt.Sprintf(`!%s.contains('\n%s')`, text, strings.Repeat(" ", deepest+1)),
		text + ".matches(" + literal(`^(?:`+line+`)+$`) + ")",
	}
	for i := from; i <= deepest; i += 2 {
		there := ""
		if i > from {
			// Most texts are not that deep.
			there = fmt.Sprintf(`!%s.contains('\n%s') || `, text, strings.Repeat(" ", i))
		}
		checks = append(checks, "("+there+"!"+text+".matches("+literal(wrongStep(i))+"))")
	}
	return strings.Join(checks, " &&\n")
}

// wrongStep matches a line at the indentation i that is followed by one that the
// encoder would not write there.
func wrongStep(i int) string {
	// At a depth that is right, what is wrong there.
	at := func(depth int, wrong string) string {
		less := ""
		if depth > 0 {
			less = fmt.Sprintf("| {0,%d}[^ ]", depth-1)
		}
		return fmt.Sprintf(`(?: {%d}%s%s)`, depth, wrong, less)
	}
	opened, comma, last := `[{\[]\n`+at(i+2, `[ }\]]`), `,\n`+at(i, `[ }\]]`), `[^,{\[\n]\n`
	if i >= 2 {
		last += at(i-2, `[^}\]]`)
	}
	return fmt.Sprintf(`\n {%d}(?:[^ \n][^\n]*)?(?:%s|%s|%s)`, i, opened, comma, last)
}
