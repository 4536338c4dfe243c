package lint

// StaticRules are the messages of the static rules by their ids.
var StaticRules = staticRules

// KindNames are the kinds that are validated.
var KindNames = kindNames

// Values decodes a text and returns what the API server would read of it, a
// value for each document, and whether all of it could be decoded.
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
