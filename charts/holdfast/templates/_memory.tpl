{{/*
--max-old-space-size, in MiB. The process has two heaps, of the data thread and of the control thread, and the flag
bounds each of them: Node's own choice for a container, half of the limit, would let the two fill it alone. A third each
leaves a third for code, stacks, buffers and, as the kernel counts them, sockets: about 130 MiB before the first tunnel.
Each further data thread has a heap too, and all have equal parts.
*/}}
{{- define "holdfast.oldSpaceMiB" -}}
{{- $limit := toString .limit -}}
{{- $parts := add 2 (int .dataThreads) -}}
{{- if not (regexMatch "^[0-9]+(\\.[0-9]+)?(Mi|Gi)$" $limit) -}}
{{- fail (printf "resources.limits.memory: %q is not understood; write it in Mi or Gi, such as 512Mi or 1.5Gi." $limit) -}}
{{- end -}}
{{- $number := regexFind "^[0-9.]+" $limit | float64 -}}
{{- $mebibytes := ternary (mulf $number 1024.0) $number (hasSuffix "Gi" $limit) -}}
{{- $least := divf (mulf 256.0 $parts) 3.0 -}}
{{- if lt $mebibytes $least -}}
{{- fail (printf "resources.limits.memory: %s is too little; Holdfast needs %dMi or more." $limit (ceil $least | int)) -}}
{{- end -}}
{{- divf $mebibytes $parts | floor | int -}}
{{- end }}
