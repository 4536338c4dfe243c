package lint

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/scopegate/scopegate/internal/scopes"
	"github.com/scopegate/scopegate/internal/toolhive"
)

// kind returns the kind of an object, or nil if it is not validated. It reports
// what could be a mistake.
func (i item) kind() (*kind, error) {
	served, ours := strings.CutPrefix(i.id.APIVersion, group+"/")
	lookup, known := schemas[i.id.Kind]
	switch {
	case ours && i.id.Kind == "":
		i.reportMissing("kind")
	case known && i.id.APIVersion == "":
		i.reportMissing("apiVersion")
	case !ours:
		if named, _, _ := strings.Cut(i.id.APIVersion, "/"); known && strings.Contains(named, "toolhive") {
			i.report(ruleGroup, Finding{Field: "apiVersion", Message: fmt.Sprintf("%s is a kind of %s, but its apiVersion is %q, so it is not validated", i.id.Kind, group, i.id.APIVersion)})
		}
	case !known:
		i.reportUnknownKind()
	case served != version && served != deprecatedVersion:
		i.report(ruleVersion, Finding{Field: "apiVersion", Message: fmt.Sprintf("%s is not served in version %s, but in %s and %s", i.id.Kind, served, version, deprecatedVersion)})
	default:
		if served == deprecatedVersion {
			i.report(ruleDeprecated, Finding{Field: "apiVersion", Message: fmt.Sprintf("%s is deprecated; use %s", i.id.APIVersion, version)})
		}
		return lookup()
	}
	return nil, nil
}

// reportMissing reports that an object has no kind or no apiVersion. kubectl
// rejects it.
func (i item) reportMissing(name string) {
	found := Finding{Field: name, Message: fmt.Sprintf("the object has no %s, so kubectl rejects it", name)}
	for _, key := range slices.Sorted(maps.Keys(i.Object)) {
		if key != name && strings.EqualFold(key, name) {
			found.Message += fmt.Sprintf("; did you mean %s instead of %s?", name, key)
			found.Place = i.result.document.place(find(i.node, key, true))
		}
	}
	i.report(ruleRequired, found)
}

// reportUnknownKind reports a kind that no release of ToolHive has, and suggests
// one.
func (i item) reportUnknownKind() {
	if slices.Contains(toolhive.Kinds, i.id.Kind) {
		return
	}
	message := fmt.Sprintf("ToolHive has no kind %s, so the object is not validated", i.id.Kind)
	if meant := nearestKind(i.id.Kind); meant != "" {
		message += fmt.Sprintf("; did you mean %s?", meant)
	}
	i.report(ruleKind, Finding{Field: "kind", Message: message})
}

// minAbbreviation is the minimum length of an abbreviation. A shorter one fits
// many kinds.
const minAbbreviation = 4

// nearestKind returns the kind that a user most likely meant: the shortest that
// name abbreviates by leaving out letters, or else one with a similar name.
func nearestKind(name string) string {
	nearest := ""
	for _, kind := range toolhive.Kinds {
		if len(name) >= minAbbreviation && abbreviates(name, kind) && (nearest == "" || len(kind) < len(nearest)) {
			nearest = kind
		}
	}
	if nearest == "" {
		nearest, _ = scopes.Suggest(name, toolhive.Kinds)
	}
	return nearest
}

// abbreviates reports whether the letters of short are in long, in their order.
func abbreviates(short, long string) bool {
	for _, letter := range []byte(long) {
		if short != "" && letter == short[0] {
			short = short[1:]
		}
	}
	return short == ""
}

// dropScopesSupported removes the field, as the API server does with ToolHive's
// CRDs.
func (i item) dropScopesSupported() {
	for _, config := range []string{"embeddedAuthServer", "authServerConfig"} {
		spec, _ := i.Object["spec"].(map[string]any)
		server, _ := spec[config].(map[string]any)
		if _, set := server["scopesSupported"]; !set {
			continue
		}
		delete(server, "scopesSupported")
		path := "spec." + config + ".scopesSupported"
		i.report(ruleUnknownField, Finding{Field: path, Message: fmt.Sprintf("unknown field %q: ToolHive's CRDs do not have it; the auth server supports what oidcConfigRef.scopes of its consumer lists", path)})
	}
}

// reportUnknown reports a field that the schema does not have, and suggests a
// similar one.
func (i item) reportUnknown(kind *kind, path string) {
	found := Finding{Field: path, Message: fmt.Sprintf("unknown field %q", path)}
	if name, siblings := kind.siblings(path); name != "" {
		if meant, ok := scopes.Suggest(name, siblings); ok {
			found.Message += fmt.Sprintf("; did you mean %q?", meant)
			found.Fix = fmt.Sprintf("Rename the field to %s.", meant)
		}
	}
	i.report(ruleUnknownField, found)
}
