package main

import (
	"regexp"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/internal/testing/expect"
)

const repositoryPins = "../../" + pins

func TestReadPins(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		minor, modfile, kubernetes string
		key                        string
	}{
		"the default":         {"", "go.mod", "v1.37.", `^v1\.37\.\d+-[0-9a-f]{12}$`},
		"the default by name": {"1.37", "go.mod", "v1.37.", `^v1\.37\.\d+-[0-9a-f]{12}$`},
		"1.36":                {"1.36", "1.36.mod", "v1.36.", `^v1\.36\.\d+-[0-9a-f]{12}-etcd-v3\.\d+\.\d+$`},
		"1.35":                {"1.35", "1.35.mod", "v1.35.", `^v1\.35\.\d+-[0-9a-f]{12}-etcd-v3\.\d+\.\d+$`},
		"1.34":                {"1.34", "1.34.mod", "v1.34.", `^v1\.34\.\d+-[0-9a-f]{12}-etcd-v3\.\d+\.\d+$`},
		"1.33":                {"1.33", "1.33.mod", "v1.33.", `^v1\.33\.\d+-[0-9a-f]{12}-etcd-v3\.\d+\.\d+$`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := readPins(t.Context(), repositoryPins, test.minor)
			expect.NoError(t, err)
			if !regexp.MustCompile(test.key).MatchString(got.key) {
				t.Errorf("the key is %s, want %s", got.key, test.key)
			}
			var names []string
			for _, b := range got.binaries {
				names = append(names, b.name)
				modfile, version := test.modfile, test.kubernetes
				if b.name == "etcd" {
					modfile, version = "go.mod", "v3."
				}
				if b.modfile != modfile || !strings.HasPrefix(b.version, version) {
					t.Errorf("%s is %s of %s, want %s of %s", b.name, b.version, b.modfile, version, modfile)
				}
			}
			expect.Equal(t, "binaries", []string{"etcd", "kubectl", "kube-apiserver", "kube-controller-manager"}, names)
		})
	}
}

func TestReadPinsOfAnUnknownMinor(t *testing.T) {
	t.Parallel()
	_, err := readPins(t.Context(), repositoryPins, "1.32")
	const want = `KUBERNETES is "1.32"; choose one of 1.33, 1.34, 1.35, 1.36, 1.37`
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
