{{/* Standalone mode replaces ToolHive's operator, so the chart fails before any change
     if the cluster has that operator or its CRDs. ToolHive's CRDs have no
     scopesSupported. Rendering without a cluster finds nothing. */}}
{{- define "scopegate.refuse" -}}
{{- $crd := lookup "apiextensions.k8s.io/v1" "CustomResourceDefinition" "" "mcpexternalauthconfigs.toolhive.stacklok.dev" }}
{{- range (dig "spec" "versions" list $crd) }}
{{- if and .storage (not (dig "schema" "openAPIV3Schema" "properties" "spec" "properties" "embeddedAuthServer" "properties" "scopesSupported" "" .)) }}
{{- fail "this cluster has ToolHive's CRDs, and standalone mode would replace them: install the guard beside ToolHive (mode=guard)" }}
{{- end }}
{{- end }}
{{- range (dig "items" list (lookup "apps/v1" "Deployment" "" "")) }}
{{- if eq (dig "metadata" "labels" "app.kubernetes.io/name" "" .) "toolhive-operator" }}
{{- fail (printf "ToolHive's operator runs in this cluster (Deployment %s/%s), and standalone mode would replace it: install the guard beside it (mode=guard)" .metadata.namespace .metadata.name) }}
{{- end }}
{{- end }}
{{- end }}
