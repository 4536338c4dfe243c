{{- define "type_members" -}}
{{- if ne .Name "metadata" -}}{{ markdownRenderFieldDoc .Doc | replace "<br />" " " }}{{- end -}}
{{- end -}}

{{- /* What holds for a field, but for what nearly all fields have. */ -}}
{{- define "validation" -}}
{{- $rules := list -}}
{{- range .Validation -}}
{{- if not (has . (list "Optional: {}" "Type: object")) -}}{{- $rules = append $rules (. | replace ": {}" "" | markdownRenderFieldDoc) -}}{{- end -}}
{{- end -}}
{{- with .Default -}}{{- $rules = append $rules (printf "Default: %s" . | markdownRenderDefault) -}}{{- end -}}
{{- join ", " $rules -}}
{{- end -}}
