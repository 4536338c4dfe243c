package testenv

import (
	"context"
	"flag"
	"fmt"
	"os"
	"slices"
	"testing"
)

// MainAfter runs a package's tests after setUp, and then what setUp registers by
// atEnd, the last first. It does not return.
func MainAfter(m *testing.M, setUp func(ctx context.Context, atEnd func(func() error)) error) {
	flag.Parse()
	os.Exit(runAfter(m, setUp))
}

func runAfter(m *testing.M, setUp func(ctx context.Context, atEnd func(func() error)) error) (code int) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	failed := func(err error) bool {
		if err != nil {
			fmt.Fprintln(os.Stderr, "FAIL:", err)
			code = 1
		}
		return err != nil
	}
	var ends []func() error
	defer func() {
		for _, end := range slices.Backward(ends) {
			failed(end())
		}
	}()
	if failed(setUp(ctx, func(end func() error) { ends = append(ends, end) })) {
		return code
	}
	return m.Run()
}
