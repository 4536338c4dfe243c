package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/scopegate/scopegate/internal/testing/expect"
)

// TestColors asks for a terminal, which has colors unless its user wants none.
func TestColors(t *testing.T) {
	terminal, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	expect.NoError(t, err)
	defer func() { _ = terminal.Close() }()
	file, err := os.Create(filepath.Join(t.TempDir(), "out"))
	expect.NoError(t, err)
	defer func() { _ = file.Close() }()
	for _, c := range []struct {
		noColor, term string
		out           *os.File
		want          bool
	}{{"", "xterm", terminal, true}, {"true", "xterm", terminal, false}, {"", "dumb", terminal, false}, {"", "xterm", file, false}} {
		t.Setenv("NO_COLOR", c.noColor)
		t.Setenv("TERM", c.term)
		expect.Equal(t, "colors", c.want, colors(c.out))
	}
}
