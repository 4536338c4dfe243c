// Package lint judges manifests as the API server and the controllers would,
// without a cluster. It is a pipeline:
//
//  1. read (source.go): files, folders and standard input become named texts. A
//     folder is read through an os.Root, so that no link leads out of it, and no
//     text is read beyond MaxFileBytes.
//  2. split (split.go): a text becomes documents, at lines of three dashes or
//     between JSON values, so that a broken one takes no other with it.
//  3. decode (decode.go, scalar.go): a document becomes YAML nodes, which know
//     their lines, and from them the very values that kubectl would send; depth
//     and aliases are bounded. Lists are unpacked, and other kinds skipped
//     (object.go).
//  4. check (check.go, schema.go): each object goes through the steps of the API
//     server, by its own packages, with the schemas of the CRDs: unknown fields,
//     defaults, metadata, schema, list types and CEL under the real cost limits.
//     With the stored version of an object (--old) these are the steps of an
//     update, transition rules and ratcheting included. What takes long is done
//     when it is needed first and with no more of a schema than can matter:
//     narrow.go leaves out fields that no object has, evaluate.go compiles a rule
//     when an object has what it is about.
//  5. resolve (pairs.go): configs and consumers of the input meet in
//     internal/resolve, the code of the controllers, and verdicts become findings.
//  6. locate (locate.go): a field's path becomes a line and a column. Nodes are
//     not kept: the document of a finding is decoded again.
//
// Documents are decoded and checked in parallel; the findings are in the order
// of the input. Package report writes them.
package lint
