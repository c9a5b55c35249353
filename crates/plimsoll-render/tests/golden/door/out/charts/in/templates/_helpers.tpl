{{/* The reference of an image: its digest stands above its tag. */}}
{{- define "in.image" -}}
{{ .repository }}{{ with .tag }}:{{ . }}{{ end }}{{ with .digest }}@{{ . }}{{ end }}
{{- end }}

{{/* Every host name of a service that runs, as a JSON list. */}}
{{- define "in.hosts" -}}
{{- $hosts := list -}}
{{- range .Values.services -}}
{{- if .enabled -}}
{{- $hosts = concat $hosts (.hosts | default list) -}}
{{- end -}}
{{- end -}}
{{- $hosts | uniq | sortAlpha | toJson -}}
{{- end }}
