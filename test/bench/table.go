package main

import (
	"fmt"
	"os"
	"slices"
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
