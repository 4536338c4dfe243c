package lint

import (
	"context"
	"fmt"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/scopegate/scopegate/internal/scopes"
)

// maxFindings bounds the findings of one document.
const maxFindings = 200

// Options are how to judge.
type Options struct {
	// Namespace is that of objects which name none; "default" if empty.
	Namespace string
	// Strict makes every warning an error.
	Strict bool
	// Guard is for a cluster with ToolHive's CRDs, as guard mode has it: they do not
	// have scopesSupported.
	Guard bool
	// Old are the stored versions of the objects.
	Old []Source
}

// Lint judges the objects of the sources, each by itself and all together.
func Lint(ctx context.Context, sources []Source, options Options) (Report, error) {
	if options.Namespace == "" {
		options.Namespace = "default"
	}
	stored, report, err := readStored(ctx, options)
	if err != nil {
		return Report{}, err
	}
	results, err := judgeAll(ctx, sources, judge{namespace: options.Namespace, guard: options.Guard, stored: stored})
	if err != nil {
		return Report{}, err
	}
	var members []*member
	for _, result := range results {
		report.Findings = append(report.Findings, result.findings...)
		report.Skipped += result.skipped
		for _, m := range result.members {
			report.Judged = append(report.Judged, Judged{Object: m.id, File: m.item.document.source.Name})
		}
		members = append(members, result.members...)
	}
	report.Files, report.Objects = len(sources), len(members)
	across, err := judgeTogether(members)
	if err != nil {
		return Report{}, err
	}
	report.Findings = append(report.Findings, across...)
	order := map[string]int{}
	for i, source := range append(append([]Source{}, sources...), options.Old...) {
		order[source.Name] = i
	}
	sortFindings(report.Findings, order)
	if options.Strict {
		for i := range report.Findings {
			report.Findings[i].Severity = Error
		}
	}
	return report, nil
}

// result is what comes of one document.
type result struct {
	findings []Finding
	members  []*member
	skipped  int
	// more counts the findings beyond maxFindings.
	more int
}

// full tells whether a document has as many findings as it may have, and counts
// the one that is at hand.
func (r *result) full() bool {
	if len(r.findings) < maxFindings {
		return false
	}
	r.more++
	return true
}

// judgeAll judges all documents, several at a time, and returns the results in
// the order of the input.
func judgeAll(ctx context.Context, sources []Source, j judge) ([]result, error) {
	var documents []document
	var results []result
	for i := range sources {
		if sources[i].TooLarge {
			message := fmt.Sprintf("the file has more than the %d bytes that are read", MaxFileBytes)
			results = append(results, result{findings: []Finding{newFinding(ruleLimit, Place{File: sources[i].Name, Line: 1, Column: 1}, message)}})
			continue
		}
		documents = append(documents, split(&sources[i])...)
	}
	judged, errs := make([]result, len(documents)), make([]error, len(documents))
	var next atomic.Int64
	var group sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(documents)) {
		group.Go(func() {
			for at := int(next.Add(1)) - 1; at < len(documents) && ctx.Err() == nil; at = int(next.Add(1)) - 1 {
				judged[at], errs[at] = j.document(ctx, documents[at])
			}
		})
	}
	group.Wait()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return append(results, judged...), nil
}

// judge judges objects by themselves.
type judge struct {
	namespace string
	guard     bool
	stored    map[Object]map[string]any
}

func (j judge) document(ctx context.Context, d document) (result, error) {
	var found result
	if d.isBlank() {
		return found, nil
	}
	values, problem := d.decode()
	for index, value := range values {
		for _, at := range unpack(d, index, value) {
			if err := j.item(ctx, at, &found); err != nil {
				return found, err
			}
		}
	}
	if problem != nil {
		found.findings = append(found.findings, newFinding(problem.rule, d.placeAt(problem.line, problem.column), problem.message))
	}
	if found.more > 0 {
		found.findings = append(found.findings, tooMany(d, found.more))
	}
	return found, nil
}

func tooMany(d document, more int) Finding {
	return newFinding(ruleLimit, d.placeAt(1, 1), fmt.Sprintf("the document has %d more findings, which are not shown", more))
}

func (j judge) item(ctx context.Context, at item, found *result) error {
	id := at.id(j.namespace)
	served, ok := strings.CutPrefix(id.APIVersion, group+"/")
	kind := kinds[id.Kind]
	switch {
	case !ok:
		found.skipped++
		if named, _, _ := strings.Cut(id.APIVersion, "/"); kind != nil && (named == "" || strings.Contains(named, "toolhive")) {
			found.add(at, id, ruleGroup, "apiVersion", fmt.Sprintf("%s is a kind of %s, but apiVersion is %q: it is not judged", id.Kind, group, id.APIVersion))
		}
		return nil
	case kind == nil:
		found.skipped++
		if meant, ok := scopes.Suggest(id.Kind, kindNames); ok {
			found.add(at, id, ruleKind, "kind", fmt.Sprintf("%s is not a kind that is judged; did you mean %s?", id.Kind, meant))
		}
		return nil
	case served != version && served != deprecatedVersion:
		found.skipped++
		found.add(at, id, ruleVersion, "apiVersion", fmt.Sprintf("%s is not served in version %s, but in %s and %s", id.Kind, served, version, deprecatedVersion))
		return nil
	}
	if served == deprecatedVersion {
		found.add(at, id, ruleDeprecated, "apiVersion", fmt.Sprintf("%s is deprecated; use %s", id.APIVersion, version))
	}
	if err := kind.load(); err != nil {
		return err
	}
	at.inNamespace(id.Namespace)
	if j.guard {
		dropScopesSupported(at, id, found)
	}
	m, err := j.object(ctx, at, id, kind, found)
	found.members = append(found.members, m)
	return err
}

// dropScopesSupported does what the API server does with ToolHive's CRDs.
func dropScopesSupported(at item, id Object, found *result) {
	for _, config := range []string{"embeddedAuthServer", "authServerConfig"} {
		value, _, _ := unstructured.NestedFieldNoCopy(at.object, "spec", config)
		server, _ := value.(map[string]any)
		if _, set := server["scopesSupported"]; !set {
			continue
		}
		delete(server, "scopesSupported")
		path := "spec." + config + ".scopesSupported"
		found.unknownField(at, id, path, fmt.Sprintf("unknown field %q: ToolHive's CRDs do not have it; the auth server supports what oidcConfigRef.scopes of its consumer lists", path), "")
	}
}

// object checks an object and reports what the API server says to it.
func (j judge) object(ctx context.Context, at item, id Object, kind *kind, found *result) (*member, error) {
	for _, d := range at.duplicates {
		if found.full() {
			continue
		}
		message := fmt.Sprintf("field %q is set twice", d.path)
		found.findings = append(found.findings, about(newFinding(ruleDuplicateKey, at.document.place(d.node), message), id, d.path))
	}
	checked, err := kind.check(ctx, at.object, j.stored[key(id)])
	if err != nil {
		return nil, err
	}
	if checked.malformed != nil {
		found.add(at, id, ruleMetadata, "metadata", malformedMessage(checked.malformed))
		return &member{id: id, item: at}, nil
	}
	for _, path := range checked.unknown {
		found.unknown(at, id, kind, path)
	}
	m, broken := &member{id: id, item: at}, false
	for _, v := range checked.violations {
		found.violation(at, id, v)
		switch v.rule {
		case rulePrefix + "baseline-in-advertised-scopes", rulePrefix + "baseline-in-scopes-supported":
			m.refuted = true
		case ruleType, ruleNotChecked:
			broken = true
		}
	}
	if !broken {
		if err := m.decode(at.object); err != nil {
			found.add(at, id, ruleInvalid, "", "the controllers can't decode the object: "+err.Error())
		}
	}
	m.item.object, m.item.node, m.item.duplicates = nil, nil, nil
	return m, nil
}

// inNamespace sets the namespace, as kubectl does by the path of its request.
func (i item) inNamespace(namespace string) {
	switch metadata := i.object["metadata"].(type) {
	case map[string]any:
		if text(metadata, "namespace") == "" {
			metadata["namespace"] = namespace
		}
	case nil:
		i.object["metadata"] = map[string]any{"namespace": namespace}
	}
}

func newFinding(rule string, place Place, message string) Finding {
	return Finding{Rule: rule, Severity: rulesByID[rule].Severity, Place: place, Message: message, Fix: rulesByID[rule].Fix}
}

func about(finding Finding, id Object, path string) Finding {
	finding.Object, finding.Field = &id, path
	return finding
}

func (r *result) add(at item, id Object, rule, path, message string) {
	if r.full() {
		return
	}
	place := at.document.place(offending(at.node, path, message, false))
	r.findings = append(r.findings, about(newFinding(rule, place, message), id, path))
}

// withoutField finds the field in the one message of the schema that has it
// only there.
var withoutField = regexp.MustCompile(`must be of type \S+ with format \S+ in (\S+)$`)

func (r *result) violation(at item, id Object, v violation) {
	if r.full() {
		return
	}
	path := strings.TrimPrefix(v.Field, "<nil>")
	where := path
	if match := withoutField.FindStringSubmatch(v.Detail); path == "" && match != nil {
		where = match[1]
	}
	place := at.document.place(offending(at.node, where, v.ErrorBody(), false))
	finding := about(newFinding(v.rule, place, v.ErrorBody()), id, path)
	finding.Cause = string(v.Type)
	r.findings = append(r.findings, finding)
}

// unknown reports a field that the schema does not have, and the one that may
// have been meant.
func (r *result) unknown(at item, id Object, kind *kind, path string) {
	message, fix := fmt.Sprintf("unknown field %q", path), ""
	if name, siblings := kind.siblings(path); name != "" {
		if meant, ok := scopes.Suggest(name, siblings); ok {
			message += fmt.Sprintf("; did you mean %q?", meant)
			fix = fmt.Sprintf("Rename the field to %s.", meant)
		}
	}
	r.unknownField(at, id, path, message, fix)
}

// unknownField says of a field that it is not known, at its name. fix is the rule's if
// it is empty.
func (r *result) unknownField(at item, id Object, path, message, fix string) {
	if r.full() {
		return
	}
	finding := about(newFinding(ruleUnknownField, at.document.place(offending(at.node, path, "", true)), message), id, path)
	if fix != "" {
		finding.Fix = fix
	}
	r.findings = append(r.findings, finding)
}

// key is an object whatever its version.
func key(id Object) Object {
	id.APIVersion = ""
	return id
}
