package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
)

// table is one of docs/dev/benchmarks.md.
type table struct{ rows [][]string }

func newTable(columns ...string) *table {
	t := &table{}
	t.row(columns...)
	t.row(slices.Repeat([]string{"---"}, len(columns))...)
	return t
}

func (t *table) row(cells ...string) { t.rows = append(t.rows, cells) }

func (t *table) print() error {
	out := tabwriter.NewWriter(os.Stdout, 0, 0, 1, ' ', 0)
	for _, cells := range t.rows {
		if _, err := fmt.Fprintf(out, "| %s\t|\n", strings.Join(cells, "\t| ")); err != nil {
			return err
		}
	}
	return out.Flush()
}

// spread shows the median of figures and their ends.
func spread(values []float64) string {
	return fmt.Sprintf("%.2f (median of %d, %.2f to %.2f)", median(values), len(values), slices.Min(values), slices.Max(values))
}
