{{/* What Holdfast does with the objects of a namespace, and nothing else. */}}
{{- define "holdfast.rules" -}}
- apiGroups: [holdfast.dev]
  resources: [websocketroutes]
  verbs: [list, watch]
# Written by server-side apply, by the leader.
- apiGroups: [holdfast.dev]
  resources: [websocketroutes/status]
  verbs: [patch]
- apiGroups: [""]
  resources: [services]
  verbs: [list, watch]
- apiGroups: [discovery.k8s.io]
  resources: [endpointslices]
  verbs: [list, watch]
- apiGroups: [gateway.networking.k8s.io]
  resources: [referencegrants]
  verbs: [list, watch]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create]
{{- end }}

{{- define "holdfast.subjects" -}}
- kind: ServiceAccount
  name: {{ include "holdfast.serviceAccountName" . | quote }}
  namespace: {{ .Release.Namespace | quote }}
{{- end }}
