package main

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/scopegate/scopegate/api/v1alpha1"
	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/internal/testing/expect"
)

var (
	weatherHeld = row{"MCPServer", "a/weather", "False", "False", "BaselineScopeNotSupported"}
	weatherRuns = row{"MCPServer", "a/weather", "True", "True", "RolledOut"}
	authConfig  = row{"MCPExternalAuthConfig", "a/auth", "-", "True", "BaselineScopesSupported"}
)

func TestAppendLines(t *testing.T) {
	var out strings.Builder
	show := appendLines(console{&out})
	for _, rows := range [][]row{{authConfig, weatherHeld}, {authConfig, weatherHeld}, {authConfig, weatherRuns}, {weatherRuns}} {
		show(rows)
	}
	want := `MCPExternalAuthConfig a/auth Ready=- BaselineScopesValid=True BaselineScopesSupported
MCPServer a/weather Ready=False BaselineScopesValid=False BaselineScopeNotSupported
MCPServer a/weather Ready=True BaselineScopesValid=True RolledOut
MCPExternalAuthConfig a/auth deleted
`
	expect.Equal(t, "lines", want, out.String())
}

// TestRedraw shows that a table is drawn over the one before, and cut to what
// the terminal can hold.
func TestRedraw(t *testing.T) {
	var out strings.Builder
	height := 24
	show := redraw(console{&out}, func() (int, int) { return 40, height })
	show([]row{authConfig, weatherHeld})
	height = 4
	show([]row{authConfig, weatherRuns})
	want := "\x1b[2KKIND                    NAMESPACE/NAME\n" +
		"\x1b[2KMCPExternalAuthConfig   a/auth\n" +
		"\x1b[2KMCPServer               a/weather\n\x1b[J" +
		"\x1b[3A" +
		"\x1b[2KKIND                    NAMESPACE/NAME\n" +
		"\x1b[2KMCPExternalAuthConfig   a/auth\n" +
		"\x1b[2Kand 1 more\n\x1b[J"
	expect.Equal(t, "drawn", want, out.String())
}

func TestRowOf(t *testing.T) {
	condition := func(conditionType, status, reason string) metav1.Condition {
		return metav1.Condition{Type: conditionType, Status: metav1.ConditionStatus(status), Reason: reason}
	}
	tests := map[string]struct {
		conditions         []metav1.Condition
		ready, valid, want string
	}{
		"none":         {nil, "-", "-", "-"},
		"config":       {[]metav1.Condition{condition("BaselineScopesValid", "Unknown", "NotReferenced")}, "-", "Unknown", "NotReferenced"},
		"baseline":     {[]metav1.Condition{condition("Ready", "False", "BaselineScopeNotSupported"), condition("BaselineScopesValid", "False", "BaselineScopeNotSupported")}, "False", "False", "BaselineScopeNotSupported"},
		"other cause":  {[]metav1.Condition{condition("Ready", "False", "OIDCConfigNotFound"), condition("BaselineScopesValid", "True", "BaselineScopesSupported")}, "False", "True", "OIDCConfigNotFound"},
		"all in order": {[]metav1.Condition{condition("Ready", "True", "RolledOut"), condition("BaselineScopesValid", "True", "BaselineScopesSupported")}, "True", "True", "RolledOut"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			server := &v1beta1.MCPServer{
				ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: "weather"},
				Status:     v1alpha1.Status{Conditions: test.conditions},
			}
			want := row{"MCPServer", "a/weather", test.ready, test.valid, test.want}
			if got := rowOf("MCPServer", server); got != want {
				t.Errorf("got %+v, want %+v", got, want)
			}
		})
	}
}
