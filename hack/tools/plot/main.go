// Command plot draws the figures of a benchmark. It reads a CSV file whose first
// column is x and whose other columns are series of y, and writes an SVG file
// with logarithmic axes beside it.
package main

import (
	"encoding/csv"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/plotutil"
	"gonum.org/v1/plot/vg"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: plot FILE.csv")
		os.Exit(2)
	}
	if err := draw(os.Args[1]); err != nil {
		fmt.Fprintf(os.Stderr, "plot: %s: %v\n", os.Args[1], err)
		os.Exit(1)
	}
}

func draw(path string) error {
	rows, err := read(path)
	if err != nil {
		return err
	}
	names, points := rows[0], rows[1:]
	p := plot.New()
	p.X.Label.Text, p.Y.Label.Text = names[0], "seconds"
	p.X.Scale, p.Y.Scale = plot.LogScale{}, plot.LogScale{}
	p.X.Tick.Marker, p.Y.Tick.Marker = plot.LogTicks{Prec: -1}, plot.LogTicks{Prec: -1}
	p.Legend.Top, p.Legend.Left = true, true
	p.Add(plotter.NewGrid())
	var lines []any
	for series := 1; series < len(names); series++ {
		line := make(plotter.XYs, len(points))
		for i, row := range points {
			x, errX := strconv.ParseFloat(row[0], 64)
			y, errY := strconv.ParseFloat(row[series], 64)
			if err := errors.Join(errX, errY); err != nil {
				return err
			}
			line[i] = plotter.XY{X: x, Y: y}
		}
		lines = append(lines, names[series], line)
	}
	if err := plotutil.AddLinePoints(p, lines...); err != nil {
		return err
	}
	p.X.Max *= 1.4 // Room for the last label.
	return p.Save(16*vg.Centimeter, 10*vg.Centimeter, strings.TrimSuffix(path, filepath.Ext(path))+".svg")
}

func read(path string) ([][]string, error) {
	file, err := os.Open(path) //nolint:gosec // The file that the user names.
	if err != nil {
		return nil, err
	}
	rows, err := csv.NewReader(file).ReadAll()
	if err := errors.Join(err, file.Close()); err != nil {
		return nil, err
	}
	if len(rows) < 2 {
		return nil, errors.New("there are no points")
	}
	return rows, nil
}
