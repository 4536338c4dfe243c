package lint

// EachRule calls visit for every CEL rule of a kind with its id, and tells whether
// its expression could be decoded.
func EachRule(name string, visit func(id, message string, decoded bool)) error {
	if err := kinds[name].load(); err != nil {
		return err
	}
	for _, rule := range kinds[name].rules {
		visit(rule.id, rule.message, rule.expression().program != nil)
	}
	return nil
}

// Values decodes a text and returns what the API server would read of it, a
// value for each document, and whether all of it could be decoded.
func Values(text []byte) (values []any, ok bool) {
	for _, d := range split(&Source{Text: text}) {
		decoded, problem := d.decode()
		if problem != nil {
			return values, false
		}
		for _, value := range decoded {
			values = append(values, value.value)
		}
	}
	return values, true
}
