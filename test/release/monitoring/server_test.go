package monitoring_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os/exec"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/internal/testing/testenv"
)

// server is a running Prometheus.
type server struct{ address string }

// start runs a binary until the test ends, and shows what it printed if it fails.
func start(t *testing.T, name string, arguments ...string) {
	t.Helper()
	command := exec.Command(tool(t, name), arguments...) //nolint:gosec // The pinned binary.
	output := &testenv.Output{}
	command.Stdout, command.Stderr = output, output
	expect.NoError(t, command.Start())
	t.Cleanup(func() {
		_ = command.Process.Kill()
		_ = command.Wait()
		if t.Failed() {
			t.Logf("the output of %s:\n%s", name, output)
		}
	})
}

// get decodes an answer of Prometheus.
func (s *server) get(ctx context.Context, path string, into any) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.address+path, http.NoBody)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	return json.NewDecoder(response.Body).Decode(into)
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
	err := wait.PollUntilContextTimeout(t.Context(), 200*time.Millisecond, time.Minute, true, func(ctx context.Context) (bool, error) {
		var err error
		count, err = s.query(ctx, expression)
		return err == nil && (count > 0 || !needed), err
	})
	if err != nil {
		t.Errorf("no answer to %s: %v", expression, err)
	}
	return count
}

// awaitTargets waits until all targets are scraped.
func (s *server) awaitTargets(t *testing.T, targets int) {
	t.Helper()
	var last error
	err := wait.PollUntilContextTimeout(t.Context(), 200*time.Millisecond, time.Minute, true, func(ctx context.Context) (bool, error) {
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
	})
	if err != nil {
		t.Fatalf("Prometheus does not scrape all targets: %v: %v", err, last)
	}
}
