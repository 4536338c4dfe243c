package equivalence

import (
	"fmt"
	"time"
)

// startURL returns a URL around what is loopback, and whether it is a common one.
func (r random) startURL(schemes ...string) (url string, common bool) {
	if len(schemes) == 0 {
		schemes = []string{"http", "http", "http", "https"}
	}
	url = pick(r, schemes...) + "://" + r.host() + pick(r, "", "", ":8080", ":443") + pick(r, "", "/a", "/oauth/callback")
	switch r.IntN(8) {
	case 0:
		host := pick(r, "localho%C5%BFt", "localhoſt", "[::ffff:127.0.0.1]", "[::ffff:10.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]", "[0:0::1]", "[::0.0.0.1]", "[::1%25lo]",
			"127.0.0.1.example.com", "127.1", "127.0.0.01", "127.0.0.256", "::1", "localhost:80:80", "[localhost]", "", "user@localhost", "a@b@127.0.0.1", "user:pass@example.com",
			"localhost%2e", "ｌocalhost", "2130706433", "0x7f.1", "localhost.", "LOCALHOST.", "example.com:port", "[::1]:", "localhost:", "localhost]", "LOCALHOST]", "127.0.0.1]", "[::1]]", "[localhost", "localhost]:80")
		return pick(r, schemes...) + "://" + host + pick(r, "", "/a", "?a", "#a", "?@localhost", "#@localhost", "/%zz", "/ a", "\\@localhost"), false
	case 1:
		return r.mutated(url), false
	}
	return url, true
}

// host returns a common host: a name or an address.
func (r random) host() string {
	octet := func() int { return pick(r, 0, 1, 2, 254, 255) }
	switch r.IntN(10) {
	case 0, 1:
		return pick(r, "localhost", "localhost", "LOCALHOST", "LocalHost")
	case 2, 3:
		return fmt.Sprintf("127.%d.%d.%d", octet(), octet(), octet())
	case 5:
		return fmt.Sprintf("%d.%d.%d.%d", pick(r, 0, 10, 126, 128, 192), octet(), octet(), octet())
	case 6:
		return pick(r, "[::1]", "[::1]", "[fd00::1]", "[2001:db8::1]", "[fe80::1]", "[1::1]")
	default:
		return pick(r, "auth.example.com", "auth", "mcp.team-a.svc.cluster.local", "app.localhost", "localhost.example.com", "localhost1", "xlocalhost", "example.com")
	}
}

// mutated changes some characters.
func (r random) mutated(text string) string {
	const alphabet = ":/?#@[]%.0127-_ localhstpLOCALHST\\\"é\t"
	letters := []rune(alphabet)
	runes := []rune(text)
	for range 1 + r.IntN(3) {
		at := r.IntN(len(runes))
		switch r.IntN(3) {
		case 0:
			runes[at] = pick(r, letters...)
		case 1:
			runes = append(runes[:at:at], append([]rune{pick(r, letters...)}, runes[at:]...)...)
		default:
			runes = append(runes[:at:at], runes[at+1:]...)
		}
	}
	return string(runes)
}

// around returns a duration near a bound, below it or above.
func (r random) around(bound time.Duration) string {
	step := pick(r, time.Nanosecond, time.Millisecond, time.Second, time.Minute, time.Hour)
	near := max(1, bound+time.Duration(r.IntN(7)-3)*step)
	if r.one(2) {
		return fmt.Sprintf("%dns", near.Nanoseconds())
	}
	return near.String()
}
