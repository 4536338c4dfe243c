// Package equivalence proves, by test alone, that everything which decides on a
// baseline agrees with ToolHive: scopegate's own function, the CEL rules on the
// API server's evaluator, and the auth server that would refuse to start; and that
// scopegate's run configs are ToolHive's. It needs a ToolHive that compiles.
package equivalence
