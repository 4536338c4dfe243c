{{- define "gvDetails" }}
## {{ if .Kinds }}Kinds of {{ .GroupVersionString }}{{ else }}Types{{ end }}
{{ range .SortedTypes }}{{ template "type" . }}{{ end }}
{{- end -}}
