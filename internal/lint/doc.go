// Package lint validates manifests as the API server and the controllers would,
// without a cluster. It is a pipeline, which lint.go runs:
//
//  1. read (source.go): reads files, folders and standard input as named texts.
//     It reads a folder through an os.Root, so that no link leads out of it, and
//     no more than MaxFileBytes of a file.
//  2. split (split.go): splits a text into documents, at YAML markers or between
//     JSON values, so that a broken document does not affect the others.
//  3. limit and decode (decode.go): parses a document into YAML nodes, which have
//     line numbers and duplicate keys, and limits their number, depth and aliases.
//     Errors of the parsers get their places (syntax.go).
//     Then it decodes the values with the libraries of kubectl and the API server,
//     and unpacks lists (item.go).
//  4. validate (kind.go, schema.go, validate.go): takes each object through the steps of
//     the API server, with the API server's packages and the CRDs of config/crd:
//     unknown fields, defaults, metadata, schema, list types and CEL. If the stored
//     version of an object is known (--old), the steps are those of an update,
//     including transition rules and ratcheting. Then the function of the gate,
//     internal/startup, looks for values with which the auth server would refuse to
//     start (startup.go).
//  5. resolve (pairs.go): resolves the configs and consumers of the input with
//     internal/resolve, as the controllers do, and turns verdicts into findings.
//     Of several objects with one name, the nearest counts (nearest.go).
//  6. locate (locate.go): maps the field of a finding to a line and a column, and
//     says what a text needs that is not a manifest yet (advice.go).
//
// Documents are decoded and validated in parallel. The findings (finding.go,
// rules.go) are in the order of the input. Package report writes them.
package lint
