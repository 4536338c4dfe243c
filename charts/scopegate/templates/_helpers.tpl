{{- define "scopegate.selector" -}}
app.kubernetes.io/name: scopegate
app.kubernetes.io/component: guard
{{- end }}

{{- define "scopegate.labels" -}}
{{ include "scopegate.selector" . }}
app.kubernetes.io/managed-by: {{ .Release.Service | quote }}
{{- /* A clone has no version that the manager could compare with its own. */}}
{{- if ne .Chart.AppVersion "latest" }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
{{- end }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name (.Chart.Version | replace "+" "_") | trunc 63 | trimAll "-_." | quote }}
{{- end }}

{{/* The objects in files that kustomize also uses: (dict "root" $ "files" GLOB).
     Returns {"objects": [...]} as YAML, in the release's namespace and with its
     labels. */}}
{{- define "scopegate.objects" -}}
{{- $root := .root }}
{{- $namespace := printf "namespace: %s" (quote $root.Release.Namespace) }}
{{- $objects := list }}
{{- range $path, $_ := $root.Files.Glob .files }}
{{- range $text := regexSplit "(?m)^---\\s*$" ($root.Files.Get $path) -1 }}
{{- $object := $text | replace "namespace: scopegate-system" $namespace | fromYaml }}
{{- if and $object.kind (ne $object.kind "Kustomization") }}
{{- $labels := merge (include "scopegate.labels" $root | fromYaml) (dig "metadata" "labels" dict $object) }}
{{- $_ := set $object.metadata "labels" $labels }}
{{- $objects = append $objects $object }}
{{- end }}
{{- end }}
{{- end }}
{{- if not $objects }}
{{- fail (printf "the chart has no %s: in the repository these are symbolic links, which some tools leave out; use the chart of a release" .files) }}
{{- end }}
{{- dict "objects" $objects | toYaml }}
{{- end }}

{{/* Changes which namespaces a binding selects: (list $expression $mode). It always
     selects those that are labelled with some of the modes, and also those without a
     mode if $mode is one of these. internal/guard does the same. */}}
{{- define "scopegate.setMode" -}}
{{- $expression := index . 0 }}{{ $mode := index . 1 }}
{{- $in := eq $expression.operator "In" }}
{{- $selected := eq $in (has $mode $expression.values) }}
{{- $values := list }}
{{- range $other := list "off" "warn" "enforce" "strict" }}
{{- if ne $selected (eq $in (has $other $expression.values)) }}
{{- $values = append $values $other }}
{{- end }}
{{- end }}
{{- $_ := set $expression "operator" (ternary "NotIn" "In" $selected) }}
{{- $_ := set $expression "values" $values }}
{{- end }}
