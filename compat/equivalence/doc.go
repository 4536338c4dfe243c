// Package equivalence compares scopegate with ToolHive's library. Its own function
// and its CEL rules, on the API server's evaluator, must decide on a baseline as
// ToolHive's auth server does. So must the gate, the policy and the rules on other
// mistakes. Its run configs must equal those of ToolHive's operator. The package
// needs a ToolHive release that compiles.
package equivalence
