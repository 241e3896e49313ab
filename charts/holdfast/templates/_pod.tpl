{{/* spec of the Pods. */}}
{{- define "holdfast.pod" -}}
serviceAccountName: {{ include "holdfast.serviceAccountName" . | quote }}
# The ServiceAccount itself gives its token to nobody.
automountServiceAccountToken: true
# A Service called "holdfast-..." would set variables that begin as Holdfast's own do.
enableServiceLinks: false
terminationGracePeriodSeconds: {{ .Values.terminationGracePeriodSeconds }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . | quote }}
{{- end }}
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  runAsNonRoot: true
  {{- if not (kindIs "invalid" .Values.runAsUser) }}
  runAsUser: {{ int64 .Values.runAsUser }}
  runAsGroup: {{ int64 .Values.runAsUser }}
  {{- end }}
  seccompProfile:
    type: RuntimeDefault
{{- include "holdfast.topologySpread" . }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
containers:
  - name: holdfast
    {{- include "holdfast.container" . | nindent 4 }}
{{- $secret := .Values.affinityKey.existingSecret }}
{{- if or .Values.adminSocket $secret }}
volumes:
  {{- if .Values.adminSocket }}
  # The root file system is read-only. Whatever user the process runs as may write here; nothing but a socket does.
  - name: run
    emptyDir:
      medium: Memory
      sizeLimit: 1Mi
  {{- end }}
  {{- if $secret }}
  - name: affinity-key
    secret:
      secretName: {{ $secret | quote }}
  {{- end }}
{{- end }}
{{- end }}

{{- define "holdfast.topologySpread" -}}
{{- $keys := dict "hostname" "kubernetes.io/hostname" "zone" "topology.kubernetes.io/zone" -}}
{{- $constraints := list -}}
{{- range $over := list "hostname" "zone" -}}
{{- $when := index $.Values.topologySpread $over -}}
{{- if ne $when "None" -}}
{{- $selector := dict "matchLabels" (include "holdfast.selectorLabels" $ | fromYaml) -}}
{{- $where := dict "maxSkew" 1 "topologyKey" (index $keys $over) "whenUnsatisfiable" $when -}}
{{- /* Only Pods of the same revision count, or an upgrade would crowd the new ones where the old ones are not. */ -}}
{{- $constraints = append $constraints (merge $where (dict "labelSelector" $selector "matchLabelKeys" (list "pod-template-hash"))) -}}
{{- end -}}
{{- end -}}
{{- with $constraints }}
topologySpreadConstraints:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
