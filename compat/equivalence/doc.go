// Package equivalence proves, by test alone, that everything which judges a
// baseline agrees with ToolHive: scopegate's own function, the CEL rules on the
// API server's evaluator, and the auth server that would refuse to start; and
// that scopegate's schemas and run configs are ToolHive's.
package equivalence
