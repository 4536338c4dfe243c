package guard

import (
	"fmt"
	"strings"

	admissionv1 "k8s.io/api/admissionregistration/v1"
)

// How a policy reads authserver-config.yaml, all of which is the auth server's
// config. ToolHive's encoder folds no line, so a text consists of lines that each
// are complete by themselves, and of block scalars (|-), whose lines are deeper
// than what they belong to. Where a text is exactly made of these, no quote or
// bracket reaches over lines; then what stands at the start of a line is a key at
// depth 0, and the lists are the lines with "    - " and the blocks below them.

// Up to how many characters a text is read, and one with a block scalar, for which
// the expression is longer and thus dearer. A config has some 1,000.
const (
	readableYAML   = 40_000
	readableBlocks = 8_000
)

// deepestBlock is the column up to which a key can have a block scalar.
const deepestBlock = 24

const yamlKey = "authserver-config.yaml"

// yamlVariables read the auth server's config of a VirtualMCPServer, as
// jsonVariables do the run config of others.
func yamlVariables() []admissionv1.Variable {
	return []admissionv1.Variable{
		{Name: "yaml", Expression: textOf(yamlKey)},
		// A key in double quotes can be spelled with escapes, and over lines.
		{Name: "yamlMentioned", Expression: "variables.yaml.contains('" + baselineKey + "') || variables.yaml.matches(" + literal(`\\(?:[xuU]|\s)`) + ")"},
		{Name: "yamlLines", Expression: fmt.Sprintf(`size(variables.yaml) <= %d ? '\n' + variables.yaml : ''`, readableYAML)},
		{Name: "yamlTokens", Expression: "(!variables.yamlLines.matches(" + literal(yamlHeader+`\n`) + ") ? variables.yamlLines.findAll(" + literal(yamlLine) + ") :\n" +
			fmt.Sprintf("size(variables.yamlLines) <= %d ? variables.yamlLines.findAll(", readableBlocks) + literal(yamlToken()) + ") : []).join('')"},
		{Name: "yamlProven", Expression: `variables.yamlLines.startsWith('\nschema_version: ` + schemaVersion + `\n') &&` + "\n" +
			// Every line that starts without a space is a key in the one way that the encoder spells it.
			"!variables.yamlLines.matches(" + literal(`\n(?:[a-z0-9_]*[^a-z0-9_: \n]|[a-z0-9_]+(?:[ \n]|:[^ \n])|:)`) + ") &&\n" +
			`(variables.yamlTokens + '\n' == variables.yamlLines || variables.yamlTokens == variables.yamlLines)`},
		{Name: "yamlBaselineBlock", Expression: yamlBlock(baselineKey)},
		{Name: "yamlScopesBlock", Expression: yamlBlock(scopesKey)},
		{Name: "yamlBaseline", Expression: "variables.yamlBaselineBlock.findAll(" + literal(yamlItem) + ")"},
		{Name: "yamlScopes", Expression: "variables.yamlScopesBlock.findAll(" + literal(yamlItem) + ")"},
		{Name: "yamlState", Expression: "!variables.yamlMentioned ? 'none' :\n" +
			"!variables.yamlProven ? 'unreadable' :\n" +
			yamlListReadable(baselineKey, "variables.yamlBaselineBlock", "variables.yamlBaseline") + " &&\n" +
			yamlListReadable(scopesKey, "variables.yamlScopesBlock", "variables.yamlScopes") + fmt.Sprintf(" && size(variables.yamlBaseline) <= %d ? 'readable' : 'unreadable'", mostEntries)},
	}
}

const (
	// What a decoder takes for a line break, or leaves out, apart from \n. Within
	// quotes it does no harm.
	yamlBreaks = "\r\u0085\u2028\u2029\ufeff"
	yamlDouble = `"(?:[^"\\\n]|\\[^\n])*"`
	yamlSingle = `'(?:[^'\n]|'')*'`
	// A word of a plain scalar starts no comment and ends no key. The first one is
	// no indicator either.
	yamlWord  = `(?:[^\s#:` + yamlBreaks + `]|:+[^\s:` + yamlBreaks + `])` + yamlRest
	yamlFirst = "(?:[^\\s\\-?:,\\[\\]{}#&*!|>'\"%@`" + yamlBreaks + "]|[-?:][^\\s" + yamlBreaks + "])" + yamlRest
	yamlRest  = `(?:[^\s:` + yamlBreaks + `]|:+[^\s:` + yamlBreaks + `])*`
	yamlPlain = yamlFirst + `(?: +` + yamlWord + `)*`
	yamlValue = `(?:` + yamlDouble + `|` + yamlSingle + `|` + yamlPlain + `)`
	// Where a block scalar starts.
	yamlHeader = `\|[1-9]?[-+]?`
	// A line that is complete by itself.
	yamlLine = `\n *(?:[-?:] )*(?:` + yamlValue + `:(?: (?:` + yamlValue + `|\[\]|\{\}))?|` + yamlValue + `|\[\]|\{\})(?m:$)`
	// An entry of a list at depth 0.
	yamlItem = `\n    - (?:` + yamlValue + `(?m:$)|` + yamlHeader + `(?:\n(?: {5}[^\n` + yamlBreaks + `]*|(?m:$)))*)`
)

// oddYAML matches an entry of a list with an escape for what the encoder writes
// as it is, or as a block, and a block with other white space than the encoder's.
const oddYAML = `^\n    - \|(?:[-+]?\n+(?: {0,5}[^ \n]| {7})|[^\n]*(?:\n[^\n]*)*\n +(?m:$))|^\n    - "(?:(?:[^"\\]|\\[^\n])*\\(?:x[2-7][0-9A-Ea-e]|x[A-Fa-f]|u[^F]|/| )|(?:[^"\\ ]| [^"\\]|\\n)*\\n(?:[^"\\ ]| [^"\\]|\\n)*"$)`

// bare are the entries of a list without the quotes, or the block, that the
// encoder adds only where they are needed.
func bare(list string) string {
	return list + ".map(s, s.matches(" + literal(`^\n    - "[^\\]*"$`) + ") ? s.substring(8, size(s) - 1) :\n" +
		"s.startsWith('\\n    - \\'') ? s.substring(8, size(s) - 1).replace('\\'\\'', '\\'') :\n" +
		"s.matches(" + literal(`^\n    - \|-\n +[^\n]+$`) + ") ? s.split('\\n')[2].trim() : s.substring(7))"
}

// yamlToken matches a yamlLine, or a block scalar with
// what it belongs to: a key or an entry at a column, with lines that are deeper.
func yamlToken() string {
	tokens := make([]string, 0, deepestBlock/2+2)
	for column := 0; column <= deepestBlock; column += 2 {
		key := fmt.Sprintf(` {%d}`, column)
		if column >= 2 {
			key = fmt.Sprintf(` {%d}(?:  |[-?:] )`, column-2)
		}
		tokens = append(tokens, fmt.Sprintf(`\n(?:%s%s:| {%d}[-?:]) %s(?:\n(?: {%d}[^\n%s]*|(?m:$)))*`, key, yamlValue, column, yamlHeader, column+1, yamlBreaks))
	}
	return strings.Join(append(tokens, yamlLine), "|")
}

// yamlBlock is what stands below a key at depth 0.
func yamlBlock(key string) string {
	start := `'\n` + key + `:\n'`
	return "variables.yamlLines.contains(" + start + ") ?\n('\\n' + variables.yamlLines.split(" + start + ", 2)[1]).find(" + literal(`^(?:\n(?: [^\n]*|(?m:$)))*`) + ") : ''"
}

// yamlListReadable tells whether there is a list by that key in the layout of the
// encoder, or no such key.
func yamlListReadable(key, block, items string) string {
	return `(!variables.yamlLines.contains('\n` + key + `:') ||` + "\n" +
		`size(variables.yamlLines.split('\n` + key + `:')) == 2 && size(` + items + `) > 0 && ` + items + `.join('') == ` + block + `)`
}
