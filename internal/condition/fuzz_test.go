package condition_test

import (
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/scopegate/scopegate/internal/condition"
	"github.com/scopegate/scopegate/internal/resolve"
	"github.com/scopegate/scopegate/internal/testing/sample"
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
		config := sample.Config(namespace, "auth", baseline...)
		requesting(config.Spec.EmbeddedAuthServer, baseline...)
		pair := sample.Pair(sample.Server(namespace, "weather", sample.AuthServerRef("auth", effective...)), config)
		for _, condition := range []*metav1.Condition{condition.ForConfig(config, []resolve.Pair{pair}), condition.ForConsumer(pair)} {
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
