package main

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
)

// table is a table of docs/dev/benchmarks.md.
type table struct{ rows [][]string }

func newTable(columns ...string) *table {
	t := &table{}
	t.row(columns...)
	t.row(slices.Repeat([]string{"---"}, len(columns))...)
	return t
}

func (t *table) row(cells ...string) { t.rows = append(t.rows, cells) }

func (t *table) print() {
	out := tabwriter.NewWriter(os.Stdout, 0, 0, 1, ' ', 0)
	for _, cells := range t.rows {
		must(fmt.Fprintf(out, "| %s\t|\n", strings.Join(cells, "\t| ")))
	}
	check(out.Flush())
}

func spread(values []float64) string {
	return fmt.Sprintf("%.2f (median of %d, %.2f to %.2f)", median(values), len(values), slices.Min(values), slices.Max(values))
}

// figures are the points of a plot: in each row x, and y of each series.
type figures struct{ rows [][]string }

func newFigures(x string, series ...string) *figures {
	return &figures{rows: [][]string{append([]string{x}, series...)}}
}

func (f *figures) add(values ...float64) {
	var row []string
	for _, value := range values {
		row = append(row, strconv.FormatFloat(value, 'g', 4, 64))
	}
	f.rows = append(f.rows, row)
}

// write writes docs/dev/figures/NAME.csv, and draws NAME.svg beside it.
func (f *figures) write(name string) {
	var text bytes.Buffer
	check(csv.NewWriter(&text).WriteAll(f.rows))
	path := filepath.Join("docs", "dev", "figures", name+".csv")
	check(os.WriteFile(path, text.Bytes(), 0o644)) //nolint:gosec // A page of the documentation.
	absolute := must(filepath.Abs(path))
	command := exec.Command("go", "run", "./plot", absolute) //nolint:gosec // Our own program.
	command.Dir, command.Stderr = filepath.Join("hack", "tools"), os.Stderr
	check(command.Run())
}
