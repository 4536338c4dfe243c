package rollout_test

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/scopegate/scopegate/internal/resolve"
	"github.com/scopegate/scopegate/internal/rollout"
)

func TestChildName(t *testing.T) {
	seen := map[string]string{}
	for _, kind := range []string{resolve.KindMCPServer, resolve.KindMCPRemoteProxy, resolve.KindVirtualMCPServer} {
		for _, name := range []string{
			"web", "web.1", "web-1", "1web", "0", "a.b.c", strings.Repeat("a", 253), strings.Repeat("a", 252) + "b",
			strings.Repeat("a.", 126) + "a", strings.Repeat("a", 39) + ".b",
		} {
			got := rollout.ChildName(resolve.Consumer{Kind: kind, Namespace: "ns", Name: name})
			// The strictest rule for the names of Services and labels.
			if errs := validation.IsDNS1035Label(got); len(errs) > 0 {
				t.Errorf("%s %q gives %q: %v", kind, name, got, errs)
			}
			if other, ok := seen[got]; ok {
				t.Errorf("%s %q and %s have the same child %q", kind, name, other, got)
			}
			seen[got] = kind + " " + name
		}
	}
}
