package guard

// ModeLabel is a namespace's label with the mode of the guard there. Without it, or
// with another value, the mode is the default of what is installed.
const ModeLabel = "scopegate.dev/guard"

// The modes.
const (
	// ModeOff asks no policy.
	ModeOff = "off"
	// ModeWarn admits the edit, with a warning.
	ModeWarn = "warn"
	// ModeDeny rejects the edit.
	ModeDeny = "deny"
)

// HeldLabel is "true" on a ConfigMap that keeps its last good run config, against a
// bad one that ToolHive's operator would write.
const HeldLabel = "scopegate.dev/held"

// The names of the policies, which are files of config/guard.
const (
	ConfigsForMCPServersPolicy       = "scopegate-configs-for-mcpservers"
	ConfigsForMCPRemoteProxiesPolicy = "scopegate-configs-for-mcpremoteproxies"
	ConsumersPolicy                  = "scopegate-consumers"
	VirtualMCPServersPolicy          = "scopegate-virtualmcpservers"
	RunConfigsPolicy                 = "scopegate-run-configs"
	// HoldPolicy takes Kubernetes 1.36, and a manifest of its own.
	HoldPolicy = "scopegate-run-configs-hold"
	// StartUpPolicy has a manifest of its own, and nothing else needs it.
	StartUpPolicy = "scopegate-start-up"
)

// ValidatingPolicies are those that are always installed: all but the one that holds
// and the one on other refusals at start.
var ValidatingPolicies = []string{
	ConfigsForMCPServersPolicy, ConfigsForMCPRemoteProxiesPolicy, ConsumersPolicy, VirtualMCPServersPolicy, RunConfigsPolicy,
}
