package release_test

import (
	"io/fs"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/compat/release"
	"github.com/scopegate/scopegate/internal/testing/expect"
)

func TestFiles(t *testing.T) {
	for _, r := range release.All {
		t.Run(r.Version, func(t *testing.T) {
			text, err := fs.ReadFile(r.Files(t), "go.mod")
			expect.NoError(t, err)
			if !strings.HasPrefix(string(text), "module "+release.Module+"\n") {
				t.Errorf("go.mod is of another module:\n%.100s", text)
			}
		})
	}
}
