package equivalence

import (
	"flag"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
	"unicode"
)

var seed = flag.Uint64("seed", 0, "the seed of the random cases; 0 takes a new one")

// random generates cases. The test logs the seed, so that you can repeat a
// failure.
type random struct{ *rand.Rand }

func newRandom(t testing.TB) random {
	t.Helper()
	value := *seed
	if value == 0 {
		value = uint64(time.Now().UnixNano())
	}
	t.Logf("repeat with -seed=%d", value)
	return random{rand.New(rand.NewPCG(value, 0))} //nolint:gosec // Nothing to guess.
}

func pick[T any](r random, values ...T) T { return values[r.IntN(len(values))] }

func (r random) one(n int) bool { return r.IntN(n) == 0 }

// alphabet of a scope (RFC 6749 section 3.3).
var alphabet = func() (letters string) {
	for c := '!'; c <= '~'; c++ {
		if c != '"' && c != '\\' {
			letters += string(c)
		}
	}
	return letters
}()

// Limits of the CRDs, for the cases at the limits.
const (
	maxBaseline = 10
	maxScopes   = 1000
	maxLength   = 256
)

func (r random) lists() lists {
	pool := r.pool()
	l := lists{
		baseline: r.list(pool, maxBaseline), supported: r.list(pool, 12), oidc: r.list(pool, 12), anonymous: r.one(8),
	}
	if r.one(500) {
		l.supported, l.oidc = r.fill(pool, maxScopes), r.fill(pool, maxScopes)
		l.baseline = r.fill(l.supported, maxBaseline)
	}
	// Otherwise the baseline would rarely be a subset, or almost one.
	if source := pick(r, l.supported, l.oidc); r.one(2) && len(source) > 0 {
		l.baseline = nil
		for range r.IntN(maxBaseline + 1) {
			l.baseline = append(l.baseline, pick(r, source...))
		}
		if len(l.baseline) > 0 && r.one(2) {
			i := r.IntN(len(l.baseline))
			l.baseline[i] = r.nearMiss(l.baseline[i])
		}
	}
	return l
}

func (r random) pool() []string {
	pool := []string{"openid", "profile", "email", "offline_access"}[:r.IntN(5)]
	pool = append([]string{}, pool...)
	for range 2 + r.IntN(5) {
		pool = append(pool, r.scope())
	}
	return append(pool, r.nearMiss(pick(r, pool...)))
}

func (r random) list(pool []string, most int) []string {
	switch r.IntN(8) {
	case 0:
		return nil
	case 1:
		return []string{}
	}
	list := []string{}
	for range r.IntN(most + 1) {
		list = append(list, pick(r, pool...))
	}
	return list
}

func (r random) fill(pool []string, n int) []string {
	list := make([]string, n)
	for i := range list {
		if list[i] = pick(r, pool...); r.one(2) {
			list[i] = r.letters(maxLength)
		}
	}
	return list
}

func (r random) scope() string {
	switch r.IntN(6) {
	case 0:
		return pick(r, "mcp:read", "mcp.read", "mcp:write", "https://www.example.com/auth/drive", "api://app/.default", "repo", "user:email")
	case 1:
		return r.letters(maxLength)
	case 2:
		// Not a valid scope, but the rules must agree on it too.
		return r.anything()
	default:
		return r.letters(1 + r.IntN(12))
	}
}

func (r random) letters(n int) string {
	text := make([]byte, n)
	for i := range text {
		text[i] = alphabet[r.IntN(len(alphabet))]
	}
	return string(text)
}

// anything returns text in which normalisation, case folding, spaces and
// invisible characters could make a difference.
func (r random) anything() string {
	return pick(r, "", " ", "a b", "\t", "\n", "\x00", "é", "e\u0301", "ß", "SS", "ı", "I", "İ", "K", "K", "Å", "A\u030a", "ﬁ", "fi", "Ω", "Ω",
		"openid\u200b", "\ufeffopenid", "openid ", "оpenid", "日本", "😀", "👩\u200d👩\u200d👧", `a"b`, `a\b`, "'", "${x}", "\u202eopenid", "\uffff")
}

func (r random) nearMiss(scope string) string {
	runes := []rune(scope)
	if len(runes) == 0 {
		return "a"
	}
	i := r.IntN(len(runes))
	switch r.IntN(7) {
	case 0:
		return strings.ToUpper(scope)
	case 1:
		if unicode.IsUpper(runes[i]) {
			runes[i] = unicode.ToLower(runes[i])
		} else {
			runes[i] = unicode.ToUpper(runes[i])
		}
		return string(runes)
	case 2:
		return string(append(runes[:i:i], runes[i+1:]...))
	case 3:
		return scope + pick(r, " ", "s", "/", "*", "\u200b", scope)
	case 4:
		return pick(r, " ", "x", "*") + scope
	case 5:
		return strings.NewReplacer(":", ".", ".", ":", "_", "-", "-", "_").Replace(scope)
	default:
		return string(runes[:i])
	}
}
