package main

import (
	"runtime/debug"
	"testing"

	"github.com/scopegate/scopegate/internal/operator"
	"github.com/scopegate/scopegate/internal/testing/expect"
)

// TestCheck checks that a wrong flag is named.
func TestCheck(t *testing.T) {
	valid := func() operator.Options {
		return operator.Options{OwnNamespace: "scopegate-system", AuthServerImage: "a", Concurrency: 1, Namespaces: []string{"a", "b"}}
	}
	expect.NoError(t, check(valid(), false))
	for want, change := range map[string]func(*operator.Options){
		"--concurrency is 0":                      func(o *operator.Options) { o.Concurrency = 0 },
		"--concurrency is -1":                     func(o *operator.Options) { o.Concurrency = -1 },
		`--watch-namespaces has "Bad_NS"`:         func(o *operator.Options) { o.Namespaces = []string{"a", "Bad_NS"} },
		`--watch-namespaces has " b"`:             func(o *operator.Options) { o.Namespaces = []string{"a", " b"} },
		`--watch-namespaces has ""`:               func(o *operator.Options) { o.Namespaces = []string{"a", ""} },
		`--watch-namespaces has "a.b"`:            func(o *operator.Options) { o.Namespaces = []string{"a.b"} },
		`--namespace is "Bad_NS"`:                 func(o *operator.Options) { o.OwnNamespace = "Bad_NS" },
		`--leader-election-namespace is "Bad_NS"`: func(o *operator.Options) { o.LeaderElectionNamespace = "Bad_NS" },
		"--leader-election-namespace is empty":    func(o *operator.Options) { o.LeaderElect = true },
	} {
		t.Run(want, func(t *testing.T) {
			options := valid()
			change(&options)
			expect.Error(t, check(options, false), want)
		})
	}
}

// TestLimitMemory sets a limit that 32 bits do not hold.
func TestLimitMemory(t *testing.T) {
	before := debug.SetMemoryLimit(-1)
	defer debug.SetMemoryLimit(before)
	t.Setenv("MEMORY_LIMIT", "10000000000")
	limitMemory()
	expect.Equal(t, "bytes", int64(9_000_000_000), debug.SetMemoryLimit(-1))
}
