package scopes_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/internal/scopes"
	"github.com/scopegate/scopegate/internal/testing/expect"
)

func TestMissing(t *testing.T) {
	for name, tc := range map[string]struct {
		baseline, effective, want []string
	}{
		"empty baseline":          {nil, []string{"a"}, nil},
		"empty effective":         {[]string{"a"}, nil, []string{"a"}},
		"subset in another order": {[]string{"b", "a"}, []string{"a", "c", "b"}, nil},
		"case matters":            {[]string{"OpenID"}, []string{"openid"}, []string{"OpenID"}},
		"prefix is not enough":    {[]string{"open"}, []string{"openid"}, []string{"open"}},
		"order of the baseline":   {[]string{"z", "a", "y"}, []string{"a"}, []string{"z", "y"}},
		"each once":               {[]string{"z", "z"}, []string{"a"}, []string{"z"}},
		"duplicates are fine":     {[]string{"a", "a"}, []string{"a"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			expect.Equal(t, "missing", tc.want, scopes.Missing(tc.baseline, tc.effective))
		})
	}
}

func TestBound(t *testing.T) {
	many := strings.Fields(strings.Repeat("mail.read ", 1000))
	expect.Equal(t, "hundreds", many[:600], scopes.Bound(many[:600]))
	expect.Equal(t, "a thousand", []string{scopes.Unread}, scopes.Bound(many))
}

func TestNothingMissingAllocatesNothing(t *testing.T) {
	baseline, defaults := []string{"openid", "offline_access"}, []string{"openid", "profile", "email", "offline_access"}
	allocations := testing.AllocsPerRun(100, func() {
		effective, _ := scopes.Effective(nil, nil, defaults)
		if scopes.Missing(baseline, effective) != nil {
			t.Error("the defaults do not support the usual baseline")
		}
	})
	if allocations != 0 {
		t.Errorf("allocated %v times, want 0", allocations)
	}
}

func FuzzMissing(f *testing.F) {
	f.Add("openid offline_access", "openid profile")
	f.Add("", "")
	f.Add("a b a", "A b")
	f.Fuzz(func(t *testing.T, baselineText, effectiveText string) {
		baseline, effective := strings.Split(baselineText, " "), strings.Split(effectiveText, " ")
		missing := scopes.Missing(baseline, effective)
		for _, scope := range baseline {
			if slices.Contains(effective, scope) == slices.Contains(missing, scope) {
				t.Errorf("%q must be in exactly one of effective %q and missing %q", scope, effective, missing)
			}
		}
		for i, scope := range missing {
			if !slices.Contains(baseline, scope) || slices.Contains(missing[:i], scope) {
				t.Errorf("%q of %q is not in the baseline %q, or is repeated", scope, missing, baseline)
			}
		}
	})
}

func TestSuggest(t *testing.T) {
	long := strings.Repeat("x", 64)
	effective := []string{"openid", "profile", "email", "offline_access", "mcp:tools", "read", long, "abc", "abd"}
	for name, tc := range map[string]struct{ scope, want string }{
		"separator":            {"offline-access", "offline_access"},
		"case":                 {"OpenID", "openid"},
		"separator and case":   {"MCP.Tools", "mcp:tools"},
		"one letter":           {"profil", "profile"},
		"two letters":          {"offline_acess_", "offline_access"},
		"nothing like it":      {"admin", ""},
		"too short to tell":    {"rd", ""},
		"as long as compared":  {strings.ToUpper(long), long},
		"longer than compared": {long + "x", ""},
		"three letters":        {"offline_ac", ""},
		"a third of it":        {"abx", "abc"},
	} {
		t.Run(name, func(t *testing.T) {
			got, ok := scopes.Suggest(tc.scope, effective)
			if got != tc.want || ok != (tc.want != "") {
				t.Errorf("Suggest(%q) = %q, %v, want %q", tc.scope, got, ok, tc.want)
			}
		})
	}
}

func FuzzSuggest(f *testing.F) {
	f.Add("offline-access", "openid offline_access")
	f.Fuzz(func(t *testing.T, scope, effectiveText string) {
		effective := strings.Split(effectiveText, " ")
		if got, ok := scopes.Suggest(scope, effective); ok && !slices.Contains(effective, got) {
			t.Errorf("Suggest(%q, %q) = %q, which is not effective", scope, effective, got)
		}
	})
}

func TestList(t *testing.T) {
	for want, value := range map[string]string{"openid": "openid", "openid email a:b,c'": " openid  email\ta:b,c'"} {
		var list scopes.List
		expect.NoError(t, list.Set(value))
		expect.Equal(t, value, scopes.List(strings.Fields(want)), list)
		expect.Equal(t, "as text", want, list.String())
	}
	expect.Error(t, new(scopes.List).Set(" "), "name at least one scope")
}
