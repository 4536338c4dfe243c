package equivalence

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stacklok/toolhive/pkg/authserver"
	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/scopegate/scopegate/internal/scopes"
	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/internal/toolhive"
)

// cases returns how many random cases to compare. `make prove SUITE=verdict` sets the
// variable.
func cases() int {
	if n, err := strconv.Atoi(os.Getenv("SCOPEGATE_EQUIVALENCE_CASES")); err == nil {
		return n
	}
	return 10_000
}

// lists are the three lists that a verdict reads. A nil list is absent.
type lists struct {
	baseline, supported, oidc []string
	// anonymous means a VirtualMCPServer that validates no tokens. Its
	// oidcConfigRef does not count.
	anonymous bool
}

func (l lists) effective() []string {
	effective, _ := scopes.Effective(l.supported, l.counted(), toolhive.DefaultScopes)
	return effective
}

// counted returns the scopes of the oidcConfigRef, if it counts.
func (l lists) counted() []string {
	if l.anonymous {
		return nil
	}
	return l.oidc
}

// evaluators is everything that evaluates a baseline.
type evaluators struct{ shared, virtual *admission }

func (j *evaluators) compare(l lists) string {
	oidc, effective := l.counted(), l.effective()
	missing := scopes.Missing(l.baseline, effective)

	// The first list that has an entry. ToolHive has its own defaults.
	rendered := l.supported
	if len(rendered) == 0 {
		rendered = oidc
	}
	for _, given := range [][]string{rendered, effective} {
		if diff := disagree("ToolHive", missing, validated(l.baseline, given)); diff != "" {
			return diff
		}
	}

	// The rule on the config sees only the config itself.
	var static []string
	if len(l.supported) > 0 {
		static = missing
	}
	if diff := disagree("the rule on MCPExternalAuthConfig", static, ruled(j.shared.evaluate(sharedObject(l)), "spec.embeddedAuthServer.baselineClientScopes")); diff != "" {
		return diff
	}
	// The rules on a VirtualMCPServer ignore the defaults, which belong to the
	// auth server's release.
	if len(oidc) > 0 {
		static = missing
	}
	return disagree("the rules on VirtualMCPServer", static, ruled(j.virtual.evaluate(virtualObject(l)), "spec.authServerConfig.baselineClientScopes"))
}

// disagree compares the missing scopes with the message of an evaluator. The message
// must quote the first missing scope, or be empty if none is missing.
func disagree(evaluator string, missing []string, says string) string {
	switch {
	case len(missing) == 0 && says == "":
		return ""
	case len(missing) > 0 && strings.Contains(says, `"`+missing[0]+`"`):
		return ""
	case len(missing) > 0 && strings.Contains(says, strconv.Quote(missing[0])):
		return ""
	case len(missing) > 0 && strings.Contains(missing[0], "\n") && strings.HasPrefix(says, "every scope of "):
		// If the result of a messageExpression has a line break, the API server shows
		// the rule's static message instead.
		return ""
	default:
		return fmt.Sprintf("internal/scopes says that %q are missing, %s says %q", missing, evaluator, says)
	}
}

func validated(baseline, supported []string) string {
	config := &authserver.RunConfig{BaselineClientScopes: baseline, ScopesSupported: supported}
	if err := config.Validate(); err != nil {
		return err.Error()
	}
	return ""
}

// ruled returns the message of the one error, which must be at path. Any other
// error is returned with its path, so that it is a difference.
func ruled(errs field.ErrorList, path string) string {
	switch {
	case len(errs) == 0:
		return ""
	case len(errs) == 1 && errs[0].Field == path && errs[0].Type == field.ErrorTypeInvalid:
		return errs[0].Detail
	default:
		return "UNEXPECTED " + strings.ReplaceAll(errs.ToAggregate().Error(), `"`, "'")
	}
}

func sharedObject(l lists) map[string]any {
	return map[string]any{"spec": map[string]any{"type": "embeddedAuthServer", "embeddedAuthServer": embedded(l)}}
}

func virtualObject(l lists) map[string]any {
	reference := map[string]any{"name": "oidc", "audience": "https://mcp.example.com"}
	put(reference, "scopes", l.oidc)
	incoming := map[string]any{"type": "oidc", "oidcConfigRef": reference}
	if l.anonymous {
		incoming["type"] = "anonymous"
	}
	return map[string]any{"spec": map[string]any{
		"groupRef": map[string]any{"name": "group"}, "incomingAuth": incoming, "authServerConfig": embedded(l),
	}}
}

func embedded(l lists) map[string]any {
	object := map[string]any{
		"issuer": "https://auth.example.com",
		"upstreamProviders": []any{map[string]any{"name": "company", "type": "oidc", "oidcConfig": map[string]any{
			"issuerUrl": "https://login.example.com", "clientId": "scopegate",
		}}},
	}
	put(object, "baselineClientScopes", l.baseline)
	put(object, "scopesSupported", l.supported)
	return object
}

func put(object map[string]any, name string, list []string) {
	if list == nil {
		return
	}
	values := make([]any, len(list))
	for i, value := range list {
		values[i] = value
	}
	object[name] = values
}

// TestVerdictExhaustive compares every combination of lists over four scopes:
// two of the auth server's defaults, and two that differ in case alone.
func TestVerdictExhaustive(t *testing.T) {
	universe := []string{"openid", "offline_access", "mcp:read", "mcp:Read"}
	long, short := listsOver(universe, 3), listsOver(universe, 2)
	run(t, "exhaustive over 4 scopes", func(yield func(lists) bool) {
		for _, baseline := range long {
			for _, effective := range long {
				// Long lists, with the effective scopes from each of the two
				// sources.
				if !yield(lists{baseline: baseline, supported: effective}) || !yield(lists{baseline: baseline, oidc: effective}) {
					return
				}
			}
		}
		for _, baseline := range short {
			for _, supported := range short {
				for _, oidc := range short {
					for _, anonymous := range []bool{false, true} {
						if !yield(lists{baseline: baseline, supported: supported, oidc: oidc, anonymous: anonymous}) {
							return
						}
					}
				}
			}
		}
	})
}

// listsOver returns the absent list, the empty one, and every list of up to n
// scopes of universe, in every order, with duplicates.
func listsOver(universe []string, n int) [][]string {
	all := [][]string{nil, {}}
	last := [][]string{{}}
	for range n {
		var next [][]string
		for _, list := range last {
			for _, scope := range universe {
				next = append(next, append(slices.Clone(list), scope))
			}
		}
		all = append(all, next...)
		last = next
	}
	return all
}

// TestVerdictRandom compares random lists: valid and invalid scopes, near
// misses, long scopes, and lists at the limits.
func TestVerdictRandom(t *testing.T) {
	run(t, "random", func(yield func(lists) bool) {
		random := newRandom(t)
		for range cases() {
			if !yield(random.lists()) {
				return
			}
		}
	})
}

func run(t *testing.T, what string, all func(func(lists) bool)) {
	t.Helper()
	byKind := admissions(t)
	both := evaluators{shared: byKind["MCPExternalAuthConfig"].onBaseline(), virtual: byKind["VirtualMCPServer"].onBaseline()}
	start, compared, refused := time.Now(), 0, 0
	group, ctx := errgroup.WithContext(t.Context())
	group.SetLimit(runtime.GOMAXPROCS(0))
	all(func(l lists) bool {
		compared++
		if scopes.Missing(l.baseline, l.effective()) != nil {
			refused++
		}
		group.Go(func() error {
			if diff := both.compare(l); diff != "" {
				return fmt.Errorf("baseline %q, scopesSupported %q, oidcConfigRef.scopes %q, anonymous %v:\n%s", l.baseline, l.supported, l.oidc, l.anonymous, diff)
			}
			return nil
		})
		return ctx.Err() == nil
	})
	expect.NoError(t, group.Wait())
	if compared == 0 || refused == 0 || refused == compared {
		t.Errorf("%d cases, %d of them refused: want some refused and some accepted", compared, refused)
	}
	t.Logf("verdict, %s: %d cases (%d refused), 0 differences, %.1f s", what, compared, refused, time.Since(start).Seconds())
}
