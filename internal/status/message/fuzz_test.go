package message_test

import (
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/scopegate/scopegate/internal/resolve"
	"github.com/scopegate/scopegate/internal/status/message"
	"github.com/scopegate/scopegate/internal/testing/testenv"
)

// FuzzMessages validates arbitrary baselines. The messages must be bounded and
// valid UTF-8, which the API server requires, and must name a missing scope.
func FuzzMessages(f *testing.F) {
	f.Add("openid offline_access", "openid profile")
	f.Add("Admin admin", "admin")
	f.Add("\"\\\n", "…")
	f.Fuzz(func(t *testing.T, baselineText, effectiveText string) {
		if !utf8.ValidString(baselineText) || !utf8.ValidString(effectiveText) {
			t.Skip("the API server stores no such object")
		}
		baseline, effective := strings.Split(baselineText, " "), strings.Split(effectiveText, " ")
		config := testenv.Config(namespace, "auth", baseline...)
		pair := testenv.Pair(testenv.Server(namespace, "weather", testenv.AuthServerRef("auth", effective...)), config)
		for _, condition := range []*metav1.Condition{message.ForConfig(config, []resolve.Pair{pair}), message.ForConsumer(pair)} {
			text := condition.Message
			if text == "" || len(text) > 2048 || !utf8.ValidString(text) {
				t.Errorf("a message of %d bytes: %q", len(text), text)
			}
			missing := pair.Verdict.Missing
			if (condition.Status == metav1.ConditionFalse) != (len(missing) > 0) {
				t.Errorf("%s with missing %q", condition.Status, missing)
			}
			// A longer one may be cut off.
			if len(missing) > 0 && len(missing[0]) < 250 && !strings.Contains(text, strconv.Quote(missing[0])) {
				t.Errorf("%q does not name %q", text, missing[0])
			}
		}
	})
}
