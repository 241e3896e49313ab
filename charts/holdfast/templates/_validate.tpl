{{/* What the schema cannot say: values that contradict each other. Renders nothing. */}}
{{- define "holdfast.validate" -}}
{{- $end := .Values.shutdown -}}
{{- if ge (int64 $end.graceSeconds) (int64 $end.deadlineSeconds) -}}
{{- fail (printf "shutdown: graceSeconds, %d, must be less than deadlineSeconds, %d: tunnels are closed in the time between." (int64 $end.graceSeconds) (int64 $end.deadlineSeconds)) -}}
{{- end -}}
{{- $needed := add $end.preStopSeconds $end.deadlineSeconds 5 -}}
{{- if gt $needed (int64 .Values.terminationGracePeriodSeconds) -}}
{{- fail (printf "terminationGracePeriodSeconds: %d is too short; shutdown.preStopSeconds + shutdown.deadlineSeconds + 5 are %d, and tunnels that are open at the end would be cut without a Close frame." (int64 .Values.terminationGracePeriodSeconds) $needed) -}}
{{- end -}}
{{- $service := .Values.service -}}
{{- if and $service.nodePort (eq $service.type "ClusterIP") -}}
{{- fail "service.nodePort: a Service of type ClusterIP has none; take NodePort or LoadBalancer as service.type, or leave it out." -}}
{{- end -}}
{{- if and $service.loadBalancerClass (ne $service.type "LoadBalancer") -}}
{{- fail (printf "service.loadBalancerClass: only for service.type LoadBalancer, not %s." $service.type) -}}
{{- end -}}
{{- $strategy := .Values.updateStrategy -}}
{{- if and (has (toString $strategy.maxUnavailable) (list "0" "0%")) (has (toString $strategy.maxSurge) (list "0" "0%")) -}}
{{- fail "updateStrategy: maxUnavailable and maxSurge are both 0, so that no Pod could ever be replaced." -}}
{{- end -}}
{{- if and (has "*" .Values.anyHostNamespaces) (gt (len .Values.anyHostNamespaces) 1) -}}
{{- fail "anyHostNamespaces: \"*\" means all of them and stands alone." -}}
{{- end -}}
{{- end }}
