package lint_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/scopegate/scopegate/internal/lint"
	"github.com/scopegate/scopegate/internal/testing/expect"
)

// TestPipe reads what a shell makes of <(helm template chart).
func TestPipe(t *testing.T) {
	reader, writer, err := os.Pipe()
	expect.NoError(t, err)
	_, err = writer.WriteString("text")
	expect.NoError(t, errors.Join(err, writer.Close()))
	sources, err := lint.Read([]string{fmt.Sprintf("/dev/fd/%d", reader.Fd())}, false, nil)
	expect.NoError(t, errors.Join(err, reader.Close()))
	expect.Equal(t, "text", "text", string(sources[0].Text))
}

// TestUnreadable checks that the error on a file in a folder has the path that the
// user knows.
func TestUnreadable(t *testing.T) {
	folder := tree(t, map[string]string{"below/a.yaml": "a"})
	file := filepath.Join(folder, "below", "a.yaml")
	for path, mode := range map[string]os.FileMode{filepath.Dir(folder): 0o755, filepath.Dir(file): 0o755, file: 0} {
		expect.NoError(t, os.Chmod(path, mode))
	}
	if os.Getuid() == 0 {
		// Root may read everything; the thread of this test shall not.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		expect.NoError(t, syscall.Setfsuid(65534))
		defer syscall.Setfsuid(0) //nolint:errcheck // It can't fail for root.
	}
	_, err := lint.Read([]string{folder}, true, strings.NewReader(""))
	expect.Error(t, err, file+": permission denied")
}
