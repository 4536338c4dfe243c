package monitoring_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os/exec"
	"testing"

	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/internal/testing/testenv"
)

// server is a running Prometheus.
type server struct{ address string }

// start runs a binary until the test ends, and shows what it printed if it fails.
func start(t *testing.T, name string, arguments ...string) {
	t.Helper()
	testenv.StartCommand(t, exec.Command(tool(t, name), arguments...)) //nolint:gosec // The pinned binary.
}

// get decodes an answer of Prometheus.
func (s *server) get(ctx context.Context, path string, into any) error {
	_, text, err := testenv.Fetch(ctx, "http://"+s.address+path, "")
	if err != nil {
		return err
	}
	return json.Unmarshal([]byte(text), into)
}

// query returns how many series an expression has now.
func (s *server) query(ctx context.Context, expression string) (int, error) {
	var answer struct {
		Status, Error string
		Data          struct{ Result []any }
	}
	if err := s.get(ctx, "/api/v1/query?query="+url.QueryEscape(interval.Replace(expression)), &answer); err != nil {
		return 0, err
	}
	if answer.Status != "success" {
		return 0, fmt.Errorf("%s: %s", expression, answer.Error)
	}
	return len(answer.Data.Result), nil
}

// awaitAnswers asks a query until it has an answer, if it needs one, and returns
// how many series that has.
func (s *server) awaitAnswers(t *testing.T, expression string, needed bool) int {
	t.Helper()
	count := 0
	expect.Eventually(t, expression+" has an answer", func(ctx context.Context) (bool, error) {
		var err error
		count, err = s.query(ctx, expression)
		return err == nil && (count > 0 || !needed), err
	})
	return count
}

// awaitTargets waits until all targets are scraped.
func (s *server) awaitTargets(t *testing.T, targets int) {
	t.Helper()
	var last error
	expect.Eventually(t, "Prometheus scrapes all targets", func(ctx context.Context) (bool, error) {
		var answer struct {
			Data struct {
				ActiveTargets []struct{ ScrapePool, Health, LastError string }
			}
		}
		if last = s.get(ctx, "/api/v1/targets", &answer); last != nil {
			return false, nil //nolint:nilerr // It does not listen yet.
		}
		up := 0
		for _, target := range answer.Data.ActiveTargets {
			if target.Health == "up" {
				up++
			} else if target.LastError != "" {
				last = errors.New(target.ScrapePool + ": " + target.LastError)
			}
		}
		return up == targets, nil
	}, func() string { return fmt.Sprint(last) })
}
