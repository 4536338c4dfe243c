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
//     defaults, metadata, schema, list types and CEL. With the stored version of
//     an object (--old) these are the steps of an update, transition rules and
//     ratcheting included. Most objects are right, and the dear steps are spared
//     where that can be told for sure: of the schema by fulfils.go, of a rule by
//     its expression alone (evaluate.go, expression.go). What may be wrong goes to
//     the API server's validators, which are made when they are needed first, a
//     rule's with the part of the schema that it can read (part.go).
//  5. resolve (member.go, pairs.go): configs and consumers of the input meet in
//     internal/resolve, the code of the controllers, and verdicts become findings.
//  6. locate (locate.go): a field's path becomes a line and a column. Nodes are
//     not kept: the document of a finding is decoded again.
//
// Documents are decoded and checked in parallel; the findings are in the order
// of the input. Package report writes them.
package lint
