package main

import (
	"testing"
	"time"
)

func TestProgress(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		progress progress
		want     string
	}{
		"nothing is compiled yet": {
			progress{packages: 3000, binaries: 4},
			"1 of 4: about 8 minutes are left for all of them",
		},
		"a machine that takes twice as long": {
			progress{packages: 3000, compiled: 1500, binaries: 4, done: 2, spent: 2 * 1500 * perPackage},
			"3 of 4: about 8 minutes are left for all of them",
		},
		"too few packages tell how fast it is": {
			progress{packages: 3000, compiled: enough - 1, binaries: 4, spent: time.Hour},
			"1 of 4: about 8 minutes are left for all of them",
		},
		"a minute": {
			progress{packages: 300, binaries: 1},
			"1 of 1: about a minute is left",
		},
		"all packages are in the build cache": {
			progress{packages: 1, binaries: 1},
			"1 of 1: less than a minute is left",
		},
		"more packages than were counted": {
			progress{packages: 200, compiled: 210, binaries: 1, spent: time.Minute},
			"1 of 1: less than a minute is left",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := test.progress.String(); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}
