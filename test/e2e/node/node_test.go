package node

import (
	"net/netip"
	"testing"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/scopegate/scopegate/internal/testing/expect"
)

func TestServiceName(t *testing.T) {
	for host, want := range map[string][2]string{
		"web.team":                   {"web", "team"},
		"web.team.svc":               {"web", "team"},
		"web.team.svc.cluster.local": {"web", "team"},
		"web":                        {},
		"idp.example.com":            {},
	} {
		service, namespace, ok := serviceName(host)
		if !ok {
			service, namespace = "", ""
		}
		if got := [2]string{service, namespace}; got != want {
			t.Errorf("%s is %v, want %v", host, got, want)
		}
	}
}

func TestReference(t *testing.T) {
	for name, want := range map[string]string{
		"manager:v1":                   "docker.io/library/manager:v1",
		"scopegate/manager:v1":         "docker.io/scopegate/manager:v1",
		"localhost/pause:1":            "localhost/pause:1",
		"registry.example.com/a/b:v1":  "registry.example.com/a/b:v1",
		"registry.example:5000/a:v1.2": "registry.example:5000/a:v1.2",
	} {
		if got := (Image{Name: name}).Reference(); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
}

func TestAnswerDNS(t *testing.T) {
	resolve := func(name string) (netip.Addr, bool) {
		return netip.MustParseAddr("10.0.0.7"), name == "web.team.svc.cluster.local"
	}
	for name, test := range map[string]struct {
		name  string
		kind  dnsmessage.Type
		rcode dnsmessage.RCode
		found bool
	}{
		"a Service":           {"web.team.svc.cluster.local.", dnsmessage.TypeA, dnsmessage.RCodeSuccess, true},
		"its IPv6 address":    {"web.team.svc.cluster.local.", dnsmessage.TypeAAAA, dnsmessage.RCodeSuccess, false},
		"something elsewhere": {"idp.example.com.", dnsmessage.TypeA, dnsmessage.RCodeNameError, false},
	} {
		t.Run(name, func(t *testing.T) {
			query := dnsmessage.Message{
				Header:    dnsmessage.Header{ID: 7, RecursionDesired: true},
				Questions: []dnsmessage.Question{{Name: dnsmessage.MustNewName(test.name), Type: test.kind, Class: dnsmessage.ClassINET}},
			}
			packed, err := query.Pack()
			if err != nil {
				t.Fatal(err)
			}
			answer, err := answerDNS(packed, resolve)
			if err != nil {
				t.Fatal(err)
			}
			var got dnsmessage.Message
			if err := got.Unpack(answer); err != nil {
				t.Fatal(err)
			}
			if got.ID != 7 || !got.Response || got.RCode != test.rcode || (len(got.Answers) == 1) != test.found {
				t.Errorf("answered with %+v", got)
			}
			if test.found && got.Answers[0].Body.(*dnsmessage.AResource).A != [4]byte{10, 0, 0, 7} {
				t.Errorf("answered with %+v", got.Answers)
			}
		})
	}
}

// TestCheckReportsAll checks that everything missing is reported at once, with what to do.
func TestCheckReportsAll(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	t.Setenv(ControlPlaneVariable, t.TempDir())
	t.Setenv(AssetsVariable, "")
	_, err := check()
	if err == nil {
		t.Fatal("nothing is missing")
	}
	expect.Error(t, err, "containerd, ", "nsenter", "apt-get install", "kube-apiserver, ", "hack/controlplane/build.sh", AssetsVariable+": set it", "hack/node/build.sh")
}
