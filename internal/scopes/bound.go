package scopes

// MaxBytes is how much memory a list may take that Bound keeps: some hundreds of scopes.
const MaxBytes = 16 << 10

// Unread stands for a list that Bound did not keep. It is no scope (RFC 6749 section 3.3).
const Unread = "\x00"

// Bound returns the list, or only Unread if it takes more than MaxBytes.
func Bound(list []string) []string {
	const header = 16
	bytes := 0
	for _, scope := range list {
		bytes += header + len(scope)
	}
	if bytes > MaxBytes {
		return []string{Unread}
	}
	return list
}
