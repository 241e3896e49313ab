{{/* The one container of the Pods, without its name. */}}
{{- define "holdfast.container" -}}
image: {{ include "holdfast.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
args:
  {{- include "holdfast.args" . | nindent 2 }}
env:
  {{- include "holdfast.env" . | nindent 2 }}
ports:
  - name: http
    containerPort: 8080
  # Health and metrics: on the Pod only, in no Service.
  - name: admin
    containerPort: 9090
{{- with .Values.resources }}
resources:
  {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
{{- $secret := .Values.affinityKey.existingSecret }}
{{- if or .Values.adminSocket $secret }}
volumeMounts:
  {{- if .Values.adminSocket }}
  - name: run
    mountPath: /run/holdfast
  {{- end }}
  {{- if $secret }}
  # The whole folder: a single file would stay what it was when the Pod started.
  - name: affinity-key
    mountPath: /etc/holdfast/affinity-key
    readOnly: true
  {{- end }}
{{- end }}
readinessProbe:
  httpGet:
    path: /readyz
    port: admin
  {{- toYaml .Values.readinessProbe | nindent 2 }}
{{- if .Values.livenessProbe.enabled }}
livenessProbe:
  httpGet:
    path: /healthz
    port: admin
  {{- omit .Values.livenessProbe "enabled" | toYaml | nindent 2 }}
{{- end }}
{{- with .Values.shutdown.preStopSeconds }}
# SIGTERM comes after it. Until then the Pod is as ready as before, only its endpoint is withdrawn.
lifecycle:
  preStop:
    sleep:
      seconds: {{ . }}
{{- end }}
{{- end }}

{{- define "holdfast.args" -}}
{{- $args := list "serve" "--source=kubernetes" -}}
{{- $args = append $args (printf "--ingress-class=%s" (include "holdfast.ingressClassName" .)) -}}
{{- with .Values.watchNamespaces }}{{ $args = append $args (printf "--namespace=%s" (join "," .)) }}{{ end -}}
{{- with .Values.anyHostNamespaces }}{{ $args = append $args (printf "--any-host-namespaces=%s" (join "," .)) }}{{ end -}}
{{- if .Values.allowExternalName }}{{ $args = append $args "--allow-external-name=yes" }}{{ end -}}
{{- $args = concat $args (list
  "--http=:8080"
  "--admin=:9090"
  (printf "--log-level=%s" .Values.log.level)
  "--log-format=json"
  (printf "--lease-name=%s" (include "holdfast.fullname" .))
  (printf "--lease-namespace=%s" .Release.Namespace)
  (printf "--shutdown-grace=%ds" (int64 .Values.shutdown.graceSeconds))
  (printf "--shutdown-deadline=%ds" (int64 .Values.shutdown.deadlineSeconds))
  (printf "--header-timeout=%s" .Values.headerTimeout)
  (printf "--max-head-bytes=%d" (int64 .Values.maxHeadBytes))
  (printf "--dns-interval=%s" .Values.dnsInterval)
) -}}
{{- if .Values.affinityKey.existingSecret }}{{ $args = append $args "--affinity-key=/etc/holdfast/affinity-key" }}{{ end -}}
{{- with .Values.bufferBudget }}{{ $args = append $args (printf "--buffer-budget=%s" .) }}{{ end -}}
{{- with .Values.maxTunnels }}{{ $args = append $args (printf "--max-tunnels=%d" (int64 .)) }}{{ end -}}
{{- concat $args .Values.extraArgs | toYaml -}}
{{- end }}

{{- define "holdfast.env" -}}
{{- $given := list -}}
{{- range .Values.extraEnv }}{{ $given = append $given .name }}{{ end -}}
{{- $own := list (dict "name" "HOLDFAST_IDENTITY" "valueFrom" (dict "fieldRef" (dict "apiVersion" "v1" "fieldPath" "metadata.name"))) -}}
{{- /* Kubernetes 1.35 and newer give Pods their node's zone as a label; before, the variable is empty. */ -}}
{{- $own = append $own (dict "name" "HOLDFAST_ZONE" "valueFrom" (dict "fieldRef" (dict "apiVersion" "v1" "fieldPath" "metadata.labels['topology.kubernetes.io/zone']"))) -}}
{{- if .Values.adminSocket -}}
{{- $own = append $own (dict "name" "HOLDFAST_ADMIN_SOCKET" "value" "/run/holdfast/admin.sock") -}}
{{- end -}}
{{- $memory := dig "limits" "memory" "" (.Values.resources | default dict) -}}
{{- if $memory -}}
{{- $flag := printf "--max-old-space-size=%s" (include "holdfast.oldSpaceMiB" $memory) -}}
{{- $own = append $own (dict "name" "NODE_OPTIONS" "value" $flag) -}}
{{- end -}}
{{- $env := list -}}
{{- range $own }}{{ if not (has .name $given) }}{{ $env = append $env . }}{{ end }}{{ end -}}
{{- concat $env .Values.extraEnv | toYaml -}}
{{- end }}
