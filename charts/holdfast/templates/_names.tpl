{{/*
The name of what the release creates: a DNS label that begins with a letter, since Services must have such a name.
No two releases of one namespace get the same one: names that begin with "holdfast" are releases' own, all others end
in "-holdfast", and a release whose name is no such label (dots, a digit first) is told apart by a hash.
*/}}
{{- define "holdfast.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride -}}
{{- else if not (regexMatch "^[a-z]([-a-z0-9]*[a-z0-9])?$" .Release.Name) -}}
{{- $readable := regexReplaceAll "[^a-z0-9]+" .Release.Name "-" | trunc 40 | trimSuffix "-" -}}
{{- printf "holdfast-%s-%s" $readable (sha256sum .Release.Name | trunc 8) -}}
{{- else if hasPrefix "holdfast" .Release.Name -}}
{{- .Release.Name -}}
{{- else -}}
{{- printf "%s-holdfast" .Release.Name -}}
{{- end -}}
{{- end }}

{{/*
The name of roles that lie outside of the release's namespace. Another namespace may have a release of the same name,
so it carries the namespace; colons, which neither part can have, keep the parts apart.
*/}}
{{- define "holdfast.roleName" -}}
{{- printf "holdfast:%s:%s" .Release.Namespace (include "holdfast.fullname" .) -}}
{{- end }}

{{- define "holdfast.serviceAccountName" -}}
{{- if .Values.serviceAccount.name -}}
{{- .Values.serviceAccount.name -}}
{{- else if .Values.serviceAccount.create -}}
{{- include "holdfast.fullname" . -}}
{{- else -}}
{{- fail "serviceAccount.name: required when serviceAccount.create is false; the rights are bound to that account." -}}
{{- end -}}
{{- end }}

{{- define "holdfast.ingressClassName" -}}
{{- .Values.ingressClass.name | default (include "holdfast.fullname" .) -}}
{{- end }}

{{/* What finds the Pods of this release; never changes, since a Deployment's selector cannot. */}}
{{- define "holdfast.selectorLabels" -}}
app.kubernetes.io/name: holdfast
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end }}

{{- define "holdfast.labels" -}}
{{ include "holdfast.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "holdfast.image" -}}
{{- $image := .Values.image -}}
{{- if $image.digest -}}
{{- printf "%s@%s" $image.repository $image.digest -}}
{{- else -}}
{{- printf "%s:%s" $image.repository ($image.tag | default .Chart.AppVersion) -}}
{{- end -}}
{{- end }}
