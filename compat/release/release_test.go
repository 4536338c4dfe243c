package release_test

import (
	"testing"

	"github.com/scopegate/scopegate/compat/release"
	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/internal/versions"
)

// TestTestedRange compares the list with the range that users are told.
func TestTestedRange(t *testing.T) {
	expect.Equal(t, "tested range", versions.Range{Of: "ToolHive", First: release.All[0].Version, Last: release.Newest.Version}, versions.ToolHive)
}
