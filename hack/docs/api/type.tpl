{{- define "type" -}}
{{- if markdownShouldRenderType . }}
### {{ .Name }}

{{ .Doc }}
{{- if .References }}

Used by {{ range $i, $user := .SortedReferences }}{{ if $i }}, {{ end }}{{ markdownRenderTypeLink $user }}{{ end }}.
{{- end }}
{{ if .Members }}
| field | description | validation |
| --- | --- | --- |
{{ range .Members -}}
| `{{ .Name }}` _{{ markdownRenderType .Type }}_ | {{ template "type_members" . }} | {{ template "validation" . }} |
{{ end }}
{{- end }}
{{- if .EnumValues }}
{{ range .EnumValues -}}
- `{{ .Name }}`{{ with .Doc }}: {{ trim . }}{{ end }}
{{ end }}
{{- end }}
{{- end -}}
{{- end -}}
