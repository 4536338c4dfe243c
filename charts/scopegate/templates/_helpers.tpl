{{/* The name of the manager's Deployment, ServiceAccount and roles in this mode. */}}
{{- define "scopegate.name" -}}
{{ ternary "scopegate-guard" "scopegate" (eq .Values.mode "guard") }}
{{- end }}

{{- define "scopegate.component" -}}
{{ ternary "guard" "manager" (eq .Values.mode "guard") }}
{{- end }}

{{- define "scopegate.selector" -}}
app.kubernetes.io/name: scopegate
app.kubernetes.io/component: {{ include "scopegate.component" . }}
{{- end }}

{{- define "scopegate.labels" -}}
{{ include "scopegate.selector" . }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name (.Chart.Version | replace "+" "_") }}
{{- end }}

{{/* Whether the hold is installed. */}}
{{- define "scopegate.hold" -}}
{{- if eq (toString .Values.guard.hold) "auto" -}}
{{ .Capabilities.APIVersions.Has "admissionregistration.k8s.io/v1/MutatingAdmissionPolicy" }}
{{- else -}}
{{ .Values.guard.hold }}
{{- end -}}
{{- end }}

{{/* An image: (list $ .Values.image). Both images have the same registry. */}}
{{- define "scopegate.image" -}}
{{- $ := index . 0 }}{{ $image := index . 1 -}}
{{ with $.Values.image.registry }}{{ . }}/{{ end }}{{ $image.repository }}:{{ $image.tag | default $.Chart.AppVersion }}
{{- end }}

{{/* The objects in files that kustomize also uses: (dict "root" $ "files" GLOB).
     Returns {"objects": [...]} as YAML, in the release's namespace and with its
     labels. */}}
{{- define "scopegate.objects" -}}
{{- $root := .root }}
{{- $objects := list }}
{{- range $path, $_ := $root.Files.Glob .files }}
{{- range $text := regexSplit "(?m)^---\\s*$" ($root.Files.Get $path) -1 }}
{{- $object := $text | replace "scopegate-system" $root.Release.Namespace | fromYaml }}
{{- if $object.kind }}
{{- $labels := merge (include "scopegate.labels" $root | fromYaml) (dig "metadata" "labels" dict $object) }}
{{- $_ := set $object.metadata "labels" $labels }}
{{- $objects = append $objects $object }}
{{- end }}
{{- end }}
{{- end }}
{{- dict "objects" $objects | toYaml }}
{{- end }}
