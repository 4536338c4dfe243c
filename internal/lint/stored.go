package lint

import (
	"context"
	"maps"
	"slices"
	"strings"
)

var kindNames = slices.Sorted(maps.Keys(kinds))

// readStored reads the stored versions of the objects. They are not judged, but
// that they can't be read is told.
func readStored(ctx context.Context, options Options) (map[Object]map[string]any, Report, error) {
	stored, report := map[Object]map[string]any{}, Report{}
	for i := range options.Old {
		for _, d := range split(&options.Old[i]) {
			if d.isBlank() {
				continue
			}
			if err := ctx.Err(); err != nil {
				return nil, report, err
			}
			values, problem := d.decode()
			if problem != nil {
				report.Findings = append(report.Findings, newFinding(problem.rule, d.placeAt(problem.line, problem.column), problem.message))
			}
			for index, value := range values {
				for _, at := range unpack(d, index, value) {
					if err := at.store(stored, options.Namespace); err != nil {
						return nil, report, err
					}
				}
			}
		}
	}
	return stored, report, nil
}

// store adds an object as it comes from storage: without unknown fields and with
// defaults.
func (i item) store(stored map[Object]map[string]any, namespace string) error {
	id := i.id(namespace)
	kind := kinds[id.Kind]
	if kind == nil || !strings.HasPrefix(id.APIVersion, group+"/") {
		return nil
	}
	if err := kind.load(); err != nil {
		return err
	}
	i.inNamespace(id.Namespace)
	if _, _, err := kind.admit(i.object); err == nil {
		stored[key(id)] = i.object
	}
	return nil
}

// siblings returns the last name of a path and the names of the fields that the
// schema has beside it.
func (k *kind) siblings(path string) (string, []string) {
	at, parts := k.structural, strings.Split(path, ".")
	for _, part := range parts[:len(parts)-1] {
		name, isItem, _ := strings.Cut(part, "[")
		next, ok := at.Properties[name]
		if !ok {
			return "", nil
		}
		at = &next
		if isItem != "" {
			if at.Items == nil {
				return "", nil
			}
			at = at.Items
		}
	}
	return parts[len(parts)-1], slices.Sorted(maps.Keys(at.Properties))
}
