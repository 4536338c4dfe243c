// Package lint validates manifests as the API server and the controllers would,
// without a cluster. It is a pipeline, which lint.go runs:
//
//  1. read (source.go): files, folders and standard input become named texts. A
//     folder is read through an os.Root, so that no link leads out of it, and no
//     text is read beyond MaxFileBytes.
//  2. split (split.go): a text becomes documents, at the markers of YAML or
//     between JSON values, so that a broken one takes no other with it.
//  3. bound and decode (decode.go): a document becomes YAML nodes, which know
//     their lines and the keys that a mapping has twice. Their number, depth and
//     aliases are bounded. Only then the libraries of kubectl and of the API server
//     decode the values. Lists are unpacked (item.go).
//  4. validate (schema.go, validate.go): each object goes through the steps of the
//     API server, by its own packages and with the CRDs of config/crd: unknown
//     fields, defaults, metadata, schema, list types and CEL. With the stored
//     version of an object (--old) these are the steps of an update, transition
//     rules and ratcheting included.
//  5. resolve (pairs.go): configs and consumers of the input meet in
//     internal/resolve, the code of the controllers, and verdicts become findings.
//  6. locate (locate.go): the field of a finding becomes a line and a column.
//
// Documents are decoded and validated in parallel; the findings (finding.go,
// rules.go) are in the order of the input. Package report writes them.
package lint
