package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/scopegate/scopegate/internal/inventory"
	"github.com/scopegate/scopegate/internal/inventory/tree"
	"github.com/scopegate/scopegate/internal/testing/expect"
)

// openTerminal returns a terminal of 40 columns, and a file with what is shown on it.
func openTerminal(t *testing.T) (shown, terminal *os.File) {
	t.Helper()
	shown, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	expect.NoError(t, err)
	t.Cleanup(func() { _ = shown.Close() })
	fd := int(shown.Fd())
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	expect.NoError(t, err)
	expect.NoError(t, unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0))
	expect.NoError(t, unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Col: 40, Row: 24}))
	terminal, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	expect.NoError(t, err)
	t.Cleanup(func() { _ = terminal.Close() })
	return shown, terminal
}

func TestWidth(t *testing.T) {
	_, terminal := openTerminal(t)
	expect.Equal(t, "width of a terminal", 40, width(terminal))
	expect.Equal(t, "width of a buffer", 0, width(&bytes.Buffer{}))
}

// TestColors asks for colors, which a terminal shows unless its user wants none.
func TestColors(t *testing.T) {
	_, terminal := openTerminal(t)
	for variables, want := range map[[2]string]bool{{"", "xterm"}: true, {"true", "xterm"}: false, {"", "dumb"}: false} {
		t.Setenv("NO_COLOR", variables[0])
		t.Setenv("TERM", variables[1])
		expect.Equal(t, "colors", want, colors(terminal))
	}
}

// TestWatchedTrees shows a tree, the same again, and another one, as --watch does.
func TestWatchedTrees(t *testing.T) {
	first, second := &inventory.Snapshot{Namespace: "a"}, &inventory.Snapshot{Namespace: "b"}
	one, other := tree.Build(first).Text(false, 0), tree.Build(second).Text(false, 0)
	oneLine, err := encoded(tree.Build(first), false)
	expect.NoError(t, err)
	otherLine, err := encoded(tree.Build(second), false)
	expect.NoError(t, err)
	for name, c := range map[string]struct{ format, inPipe, onTerminal string }{
		"a table":      {"", one + "---\n" + other, clearScreen + one + clearScreen + other},
		"a wide table": {"wide", one + "---\n" + other, clearScreen + one + clearScreen + other},
		"JSON":         {"json", oneLine + otherLine, oneLine + otherLine},
	} {
		t.Run(name, func(t *testing.T) {
			var pipe bytes.Buffer
			shown, terminal := openTerminal(t)
			for _, out := range []io.Writer{&pipe, terminal} {
				view := &treeView{out: out, format: c.format, again: true}
				for _, snapshot := range []*inventory.Snapshot{first, first, second} {
					expect.NoError(t, view.show(snapshot))
				}
			}
			expect.Equal(t, "in a pipe", c.inPipe, pipe.String())
			// Only then what is shown has an end, which is an error.
			expect.NoError(t, terminal.Close())
			text, _ := io.ReadAll(shown)
			expect.Equal(t, "on a terminal", c.onTerminal, strings.ReplaceAll(string(text), "\r\n", "\n"))
		})
	}
}
