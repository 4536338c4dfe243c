package lint

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
)

// What a text needs before it is a manifest.
const (
	adviceTemplate = "this looks like a template, so render it first: helm template CHART | kubectl scopegate lint -f -"
	adviceVariable = "this looks like a variable, so replace it first: envsubst < FILE | kubectl scopegate lint -f -"
	adviceSecret   = "this looks like a file of SOPS, so decrypt it first: sops decrypt FILE | kubectl scopegate lint -f -"
	advicePatch    = "this looks like a patch, so render it first: kustomize build FOLDER | kubectl scopegate lint -f -"
)

// patchOperation matches an operation of a JSON patch.
var patchOperation = regexp.MustCompile(`\bop["']?\s*:\s*["']?(add|remove|replace|move|copy|test)\b`)

// advise adds a note to the errors of a text that is not a manifest yet.
func (r *result) advise() {
	for i := range r.findings {
		found := &r.findings[i]
		if found.Note == "" && found.Severity == Error {
			found.Note = r.advice(found)
		}
	}
}

func (r *result) advice(found *Finding) string {
	has := func(mark string) bool {
		return strings.Contains(found.Message, mark) || strings.Contains(found.Source, mark)
	}
	broken := found.Rule == ruleSyntax.ID
	switch {
	case found.Field == "sops", has("ENC["):
		return adviceSecret
	case has("${"):
		return adviceVariable
	case has("{{"), broken && bytes.Contains(r.document.text, []byte("{{")):
		return adviceTemplate
	case broken && bytes.Contains(r.document.text, []byte("${")):
		return adviceVariable
	case r.patches(found):
		return advicePatch
	default:
		return ""
	}
}

// patches reports whether a finding is about a patch: a list of operations, or an
// object with a few fields of another one.
func (r *result) patches(found *Finding) bool {
	switch found.Rule {
	case ruleNotObject.ID:
		return patchOperation.Match(r.document.text)
	case ruleUnknownField.ID:
		return strings.Contains(found.Field, "$patch")
	case ruleRequired.ID:
		another := func(other Finding) bool { return other.Rule == ruleTwice.ID && other.item == found.item }
		return strings.Contains(strings.ToLower(r.document.source.Name), "patch") || bytes.Contains(r.document.text, []byte("$patch")) ||
			slices.ContainsFunc(r.findings, another)
	default:
		return false
	}
}
