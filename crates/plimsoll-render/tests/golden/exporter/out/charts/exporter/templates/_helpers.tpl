{{/* The reference of an image: its digest stands above its tag. */}}
{{- define "exporter.image" -}}
{{ .repository }}{{ with .tag }}:{{ . }}{{ end }}{{ with .digest }}@{{ . }}{{ end }}
{{- end }}

{{/* Every host name of a service that runs, as a JSON list. */}}
{{- define "exporter.hosts" -}}
{{- $hosts := list -}}
{{- range .Values.services -}}
{{- if .enabled -}}
{{- $hosts = concat $hosts (.hosts | default list) -}}
{{- end -}}
{{- end -}}
{{- $hosts | uniq | sortAlpha | toJson -}}
{{- end }}
