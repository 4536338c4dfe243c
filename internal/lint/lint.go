package lint

import (
	"cmp"
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
)

// Options configure Lint.
type Options struct {
	// Namespace is the namespace of objects without one; "default" if empty.
	Namespace string
	// Strict turns every warning into an error.
	Strict bool
	// Guard validates for a cluster with ToolHive's CRDs, as in guard mode. They
	// do not have scopesSupported.
	Guard bool
	// Old are the stored versions of the objects.
	Old []Source
	// DefaultScopes replace those of ToolHive's auth server, unless empty.
	DefaultScopes []string
}

// Lint validates the objects of the sources, individually and together. It
// returns an error only if it can't validate.
func Lint(ctx context.Context, sources []Source, options Options) (Report, error) {
	l := linter{namespace: cmp.Or(options.Namespace, "default"), guard: options.Guard, stored: map[Object]any{}}
	stored, results := documents(options.Old), documents(sources)
	// Sequentially, because the last of equal objects counts.
	if err := each(ctx, stored, 1, l.store); err != nil {
		return Report{}, err
	}
	if err := each(ctx, results, runtime.GOMAXPROCS(0), l.validate); err != nil {
		return Report{}, err
	}
	report := Report{Files: len(sources)}
	var members []*member
	for _, r := range results {
		report.Skipped += r.skipped
		members = append(members, r.members...)
		for _, m := range r.members {
			report.Objects = append(report.Objects, ObjectInFile{m.id, r.document.source.Name})
		}
	}
	if err := resolvePairs(members, options.DefaultScopes); err != nil {
		return Report{}, err
	}
	for _, r := range append(results, stored...) {
		r.locate(l.namespace)
		r.advise()
		slices.SortStableFunc(r.findings, compareFindings)
		report.Findings = append(report.Findings, r.findings...)
	}
	if len(sources) > 0 && len(report.Objects)+len(report.Findings) == 0 {
		report.Findings = []Finding{nothing(sources[0].Name)}
	}
	if options.Strict {
		for i := range report.Findings {
			report.Findings[i].Severity = Error
		}
	}
	return report, nil
}

// nothing returns the finding that the input has nothing to validate, at the start
// of a file.
func nothing(file string) Finding {
	return Finding{
		Rule: ruleNothing.ID, Severity: ruleNothing.Severity, Place: Place{File: file, Line: 1, Column: 1}, Fix: ruleNothing.Fix,
		Message: fmt.Sprintf("nothing was validated: the input has no %s; render charts, overlays and GitOps sources first", strings.Join(kindNames, ", no ")),
	}
}

// result is the result for one document.
type result struct {
	document document
	findings []Finding
	members  []*member
	skipped  int
}

// maxFindings limits the findings of one document.
const maxFindings = 200

// add adds a finding, unless the document has maxFindings already.
func (r *result) add(rule *Rule, found Finding) {
	switch {
	case len(r.findings) > maxFindings:
		return
	case len(r.findings) == maxFindings:
		rule = ruleLimit
		found = Finding{Message: fmt.Sprintf("the document has more than %d findings; the others are not shown", maxFindings), Place: r.document.place(beginning)}
	}
	found.Rule, found.Severity, found.Fix = rule.ID, rule.Severity, cmp.Or(found.Fix, rule.Fix)
	r.findings = append(r.findings, found)
}

func documents(sources []Source) []*result {
	var results []*result
	for i := range sources {
		for _, d := range split(&sources[i]) {
			results = append(results, &result{document: d})
		}
	}
	return results
}

// each calls do for every document, on the given number of workers.
func each(ctx context.Context, results []*result, workers int, do func(context.Context, *result) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(workers)
	for _, r := range results {
		group.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			return do(ctx, r)
		})
	}
	return group.Wait()
}

// linter validates objects individually.
type linter struct {
	namespace string
	guard     bool
	stored    map[Object]any
}

// store reads the stored versions of objects without validating them.
func (l linter) store(_ context.Context, r *result) error {
	for _, i := range r.items(l.namespace) {
		lookup, known := schemas[i.id.Kind]
		if !known || !strings.HasPrefix(i.id.APIVersion, group+"/") {
			continue
		}
		kind, err := lookup()
		if err != nil {
			return err
		}
		if _, _, err := kind.admit(i.Object); err == nil && !i.generated() {
			l.stored[i.id.key()] = i.Object
		}
	}
	return nil
}

// validate validates the objects of a document.
func (l linter) validate(ctx context.Context, r *result) error {
	for _, i := range r.items(l.namespace) {
		if i.notObject != "" {
			r.add(ruleNotObject, Finding{Message: "kubectl rejects what is not an object, and this is " + i.notObject, Place: r.document.place(i.node)})
			continue
		}
		kind, err := i.kind()
		if err != nil {
			return err
		}
		if kind == nil {
			r.skipped++
			continue
		}
		r.members = append(r.members, l.object(ctx, i, kind))
	}
	return nil
}

// object validates an object individually and returns it as a member of the
// input.
func (l linter) object(ctx context.Context, i item, kind *kind) *member {
	if l.guard {
		i.dropScopesSupported()
	}
	for _, d := range i.duplicates {
		i.report(ruleDuplicateKey, Finding{Field: d.path, Message: fmt.Sprintf("field %q is set twice", d.path), Place: i.result.document.place(d.node)})
	}
	m := &member{subject: i.subject, line: i.result.document.place(find(i.node, "metadata.name", false)).Line}
	found := kind.validate(ctx, i.Object, l.stored[i.id.key()])
	if found.malformed != nil {
		i.report(ruleMetadata, Finding{Field: "metadata", Message: malformedMessage(found.malformed)})
		return m
	}
	for _, path := range found.unknown {
		i.reportUnknown(kind, path)
	}
	for _, v := range found.violations {
		i.report(v.rule, Finding{Field: strings.TrimPrefix(v.Field, "<nil>"), Message: v.ErrorBody(), Cause: string(v.Type)})
	}
	m.rejected = found.violates(baselineRules...)
	if !found.violates(ruleType.ID, ruleNotChecked.ID) {
		if err := m.decode(i.Object); err != nil {
			i.report(ruleInvalid, Finding{Message: "the controllers can't decode the object: " + err.Error()})
		}
		m.startUp(found)
	}
	return m
}
