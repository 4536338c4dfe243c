package scopes

// maxBytes limits what Bound keeps of a list. 16 KiB are some hundreds of scopes.
const maxBytes = 16 << 10

// Unread stands for a list that Bound did not keep. It is no scope (RFC 6749 section 3.3).
const Unread = "\x00"

// Bound returns the list, or only Unread if it takes more than 16 KiB of memory.
func Bound(list []string) []string {
	const header = 16
	bytes := 0
	for _, scope := range list {
		bytes += header + len(scope)
	}
	if bytes > maxBytes {
		return []string{Unread}
	}
	return list
}
