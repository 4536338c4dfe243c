package guard

// ModeLabel is the label of a namespace with the guard's mode there. Without it,
// or with an unknown value, the installed default applies.
const ModeLabel = "scopegate.dev/guard"

// The modes.
const (
	// ModeOff disables the policies.
	ModeOff = "off"
	// ModeWarn admits the edit with a warning.
	ModeWarn = "warn"
	// ModeDeny rejects the edit.
	ModeDeny = "deny"
)

// HeldLabel is "true" on a ConfigMap that keeps its last good run config instead
// of a bad one from ToolHive's operator.
const HeldLabel = "scopegate.dev/held"

// The names of the policies, which are files of config/guard.
const (
	ConfigsForMCPServersPolicy       = "scopegate-configs-for-mcpservers"
	ConfigsForMCPRemoteProxiesPolicy = "scopegate-configs-for-mcpremoteproxies"
	ConsumersPolicy                  = "scopegate-consumers"
	VirtualMCPServersPolicy          = "scopegate-virtualmcpservers"
	RunConfigsPolicy                 = "scopegate-run-configs"
	// HoldPolicy needs Kubernetes 1.36 and has its own manifest.
	HoldPolicy = "scopegate-run-configs-hold"
	// StartUpPolicy is optional and has its own manifest.
	StartUpPolicy = "scopegate-start-up"
)

// ValidatingPolicies are the policies that are always installed: all except the
// hold and the start-up policy.
var ValidatingPolicies = []string{
	ConfigsForMCPServersPolicy, ConfigsForMCPRemoteProxiesPolicy, ConsumersPolicy, VirtualMCPServersPolicy, RunConfigsPolicy,
}
