package lint

// StaticRules maps the IDs of the static rules to their messages.
var StaticRules = staticRules

// KindNames are the kinds that are validated.
var KindNames = kindNames

// Values decodes a text and returns the value of each document as the API server
// reads it. It reports whether it could decode all of them.
func Values(text []byte) (values []any, ok bool) {
	for _, d := range split(&Source{Text: text}) {
		decoded, problem := d.decode()
		if problem != nil {
			return values, false
		}
		values = append(values, decoded.value)
	}
	return values, true
}
