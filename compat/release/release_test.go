package release_test

import (
	"io/fs"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/compat/release"
)

func TestFiles(t *testing.T) {
	for _, r := range release.All {
		t.Run(r.Version, func(t *testing.T) {
			text, err := fs.ReadFile(r.Files(t), "go.mod")
			if err != nil {
				t.Fatal(err)
			}
			if !strings.HasPrefix(string(text), "module "+release.Module+"\n") {
				t.Errorf("go.mod is that of another module:\n%.100s", text)
			}
		})
	}
}
