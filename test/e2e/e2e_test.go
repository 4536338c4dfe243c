//go:build e2e

package e2e

import "testing"

// TestStandalone installs standalone mode by its manifest, as it is shipped, and
// runs auth servers with it.
func TestStandalone(t *testing.T) {
	s := newScenario(t)
	before := s.installStandalone()
	s.part("good", good)
	s.part("invalid-from-the-start", invalidFromTheStart)
	s.part("edited-to-invalid", editedToInvalid)
	s.part("backstop", backstop)
	s.part("shared-config", sharedConfig)
	s.part("faults", faults)
	s.part("uninstall", func(s *scenario) { uninstall(s, before) })
}

// TestGuard installs ToolHive's own operator, and makes the same mistake in the
// same manifests without the guard and with it.
func TestGuard(t *testing.T) {
	s := newScenario(t)
	s.installToolHive()
	s.part("without", withoutGuard)
	s.installGuard()
	s.part("warn", warn)
	s.part("deny", deny)
	s.part("stored-before", storedBefore)
	s.part("hold", hold)
	s.part("slips-past", slipsPast)
	s.part("off", off)
	s.part("remove", remove)
}

// TestStartUp makes with ToolHive's own operator what its auth server refuses at its
// start, without the policy on that and with it.
func TestStartUp(t *testing.T) {
	s := newScenario(t)
	s.installToolHive()
	s.part("without", withoutStartUp)
	s.part("with", withStartUp)
}
