package guard_test

import (
	"flag"
	"os"
	"strconv"
	"testing"

	"github.com/scopegate/scopegate/test/guard/setup"
)

// casesVariable gives -cases a default: `make prove SUITE=policies` sets it.
const casesVariable = "SCOPEGATE_GUARD_CASES"

var (
	cases = flag.Int("cases", defaultCases(), "how many random namespaces to compare (default of the variable "+casesVariable+")")
	seed  = flag.Uint64("seed", 1, "of the random namespaces")
)

func defaultCases() int {
	if n, err := strconv.Atoi(os.Getenv(casesVariable)); err == nil {
		return n
	}
	return 300
}

func TestEquivalence(t *testing.T) { setup.CheckRandom(t, cluster, *cases, *seed) }
