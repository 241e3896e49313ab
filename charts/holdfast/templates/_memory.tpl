{{/*
--max-old-space-size, in MiB. The process has two heaps, of the data thread and of the control thread, and the flag
bounds each of them: Node's own choice for a container, half of the limit, would let the two fill it alone. A third each
leaves a third for code, stacks, buffers and, as the kernel counts them, sockets: about 130 MiB before the first tunnel.
*/}}
{{- define "holdfast.oldSpaceMiB" -}}
{{- $limit := toString . -}}
{{- if not (regexMatch "^[0-9]+(\\.[0-9]+)?(Mi|Gi)$" $limit) -}}
{{- fail (printf "resources.limits.memory: %q is not understood; write it in Mi or Gi, such as 512Mi or 1.5Gi." $limit) -}}
{{- end -}}
{{- $number := regexFind "^[0-9.]+" $limit | float64 -}}
{{- $mebibytes := ternary (mulf $number 1024.0) $number (hasSuffix "Gi" $limit) -}}
{{- if lt $mebibytes 256.0 -}}
{{- fail (printf "resources.limits.memory: %s is too little; Holdfast needs 256Mi or more." $limit) -}}
{{- end -}}
{{- divf $mebibytes 3.0 | floor | int -}}
{{- end }}
