{{/*
The router looks for its settings on a workload of this name and for its Secrets under names that begin with it: it is
no value.
*/}}
{{- define "deis-router.name" -}}deis-router{{- end }}

{{/* "true" unless the original chart's switch for a platform without router is on. */}}
{{- define "deis-router.installed" -}}
{{- $global := .Values.global | default dict -}}
{{- if not (or $global.experimental_native_ingress $global.use_native_ingress) -}}true{{- end -}}
{{- end }}

{{/* Of objects outside the router's namespace: routers of other namespaces have their own. */}}
{{- define "deis-router.scopedName" -}}
{{ include "deis-router.name" . }}-{{ .Release.Namespace }}
{{- end }}

{{/* What the pods have, and what the original chart selected them by: an upgrade in place works. It may never change. */}}
{{- define "deis-router.selectorLabels" -}}
app: {{ include "deis-router.name" . }}
{{- end }}

{{- define "deis-router.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/component: {{ .component | default "router" }}
app.kubernetes.io/part-of: deis
app.kubernetes.io/managed-by: {{ .Release.Service }}
heritage: deis
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* Metadata of an object of ours: (dict "root" $ "name" NAME), and "component", "labels", "annotations", "cluster". */}}
{{- define "deis-router.metadata" -}}
name: {{ .name }}
{{- if not .cluster }}
namespace: {{ .namespace | default .root.Release.Namespace }}
{{- end }}
labels:
  {{- $common := include "deis-router.labels" (merge (dict "component" .component) .root) | fromYaml }}
  {{- toYaml (merge (dict) (.labels | default dict) $common) | nindent 2 }}
{{- with .annotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "deis-router.serviceAccountName" -}}
{{- with .Values.serviceAccount }}
{{- .name | default (ternary (include "deis-router.name" $) "default" .create) }}
{{- end }}
{{- end }}

{{- define "deis-router.rbac" -}}
{{- $global := .Values.global | default dict -}}
{{- if and .Values.rbac.create (ne (toString $global.use_rbac) "false") -}}true{{- end -}}
{{- end }}

{{/* The binding of a Role or ClusterRole to the router: metadata as above, and "role" (its kind). */}}
{{- define "deis-router.binding" -}}
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ .role }}Binding
metadata:
  {{- include "deis-router.metadata" . | nindent 2 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: {{ .role }}
  name: {{ .name }}
subjects:
  - kind: ServiceAccount
    name: {{ include "deis-router.serviceAccountName" .root }}
    namespace: {{ .root.Release.Namespace }}
{{- end }}

{{- define "deis-router.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}
{{- end }}
{{- end }}
{{- end }}

{{- define "deis-router.pullPolicy" -}}
{{ .Values.image.pullPolicy | default .Values.pull_policy | default "IfNotPresent" }}
{{- end }}

{{- define "deis-router.serviceType" -}}
{{ .Values.service_type | default .Values.service.type }}
{{- end }}

{{/* Settings of the router, `nginx.` left out: names that are no setting would be ignored without a word. */}}
{{- define "deis-router.settingNames" -}}
brotli.compLevel brotli.enabled bodySize defaultAppName defaultServiceEnabled defaultServiceIP defaultTimeout
defaultWhitelist disableServerTokens enableRegexDomains enforceWhitelists errorLogLevel forwardedFrom gzip.compLevel
gzip.disable gzip.enabled gzip.httpVersion gzip.minLength gzip.proxied gzip.types gzip.vary hostOwnership
hostOwnershipTrusted http2Cleartext http2Enabled
largeHeaderBuffersCount largeHeaderBuffersSize loadModsecurityModule logFormat maxHops maxWorkerConnections platformDomain
proxyBuffers.busySize proxyBuffers.enabled proxyBuffers.number proxyBuffers.size proxyRealIpCidrs referrerPolicy
requestIDs requestStartHeader serverNameHashBucketSize serverNameHashMaxSize ssl.bufferSize ssl.ciphers
ssl.earlyDataMethods ssl.enforce ssl.hsts.enabled ssl.hsts.includeSubDomains ssl.hsts.maxAge ssl.hsts.preload
ssl.protocols ssl.sessionCache ssl.sessionTimeout ssl.useSessionTickets trafficStatusZoneSize useProxyProtocol
whitelistMode workerProcesses zstd.compLevel zstd.enabled
{{- end }}

{{/* Nested maps as one with dotted keys and texts, in YAML. Large numbers must not become 1.3e+06. */}}
{{- define "deis-router.flatten" -}}
{{- range $key, $value := .map }}
{{- if kindIs "map" $value }}
{{ include "deis-router.flatten" (dict "prefix" (printf "%s%s." $.prefix $key) "map" $value) }}
{{- else if kindIs "float64" $value }}
{{ printf "%s%s" $.prefix $key | quote }}: {{ ternary (int64 $value | toString) (toString $value) (eq (float64 (int64 $value)) $value) | quote }}
{{- else }}
{{ printf "%s%s" $.prefix $key | quote }}: {{ toString $value | quote }}
{{- end }}
{{- end }}
{{- end }}

{{/* Annotations of the workload. New values beat those of the original chart. */}}
{{- define "deis-router.workloadAnnotations" -}}
{{- $annotations := include "deis-router.flatten" (dict "prefix" "" "map" (.Values.deployment_annotations | default dict)) | fromYaml }}
{{- with .Values.platform_domain | default (.Values.global | default dict).platform_domain }}
{{- $_ := set $annotations "router.deis.io/nginx.platformDomain" . }}
{{- end }}
{{- $names := splitList " " (include "deis-router.settingNames" . | replace "\n" " ") }}
{{- range $name, $value := include "deis-router.flatten" (dict "prefix" "" "map" .Values.settings) | fromYaml }}
{{- if not (has $name $names) }}
{{- fail (printf "settings: the router knows no %q. Settings of another version can be given as deployment_annotations, with their whole keys." $name) }}
{{- end }}
{{- $_ := set $annotations (printf "router.deis.io/nginx.%s" $name) $value }}
{{- end }}
{{- toYaml $annotations }}
{{- end }}

{{/*
Resources, with those of the original chart. Where one of a pair is given in the old way, a default for the other could
contradict it.
*/}}
{{- define "deis-router.resources" -}}
{{- $resources := deepCopy (.Values.resources | default dict) }}
{{- range $what := list "cpu" "memory" }}
{{- $limit := get $.Values (printf "limits_%s" $what) }}
{{- $request := get $.Values (printf "requests_%s" $what) }}
{{- if or $limit $request }}
{{- range $kind, $value := dict "limits" $limit "requests" $request }}
{{- $part := omit (get $resources $kind | default dict) $what }}
{{- if $value }}
{{- $_ := set $part $what (toString $value) }}
{{- end }}
{{- $_ := set $resources $kind $part }}
{{- end }}
{{- end }}
{{- end }}
{{- toYaml $resources }}
{{- end }}

{{/* Seconds until a pod is killed. */}}
{{- define "deis-router.terminationGracePeriod" -}}
{{- $least := add .Values.drain.delay .Values.drain.timeout }}
{{- $given := .Values.terminationGracePeriodSeconds }}
{{- if kindIs "invalid" $given }}
{{- add $least 10 }}
{{- else if le (int64 $given) $least }}
{{- fail (printf "terminationGracePeriodSeconds: %d leaves no time after drain.delay and drain.timeout, %d together" (int64 $given) $least) }}
{{- else }}
{{- int64 $given }}
{{- end }}
{{- end }}

{{/* With host ports one pod less: two cannot have the same port of a node. */}}
{{- define "deis-router.strategy" -}}
{{- if not (kindIs "invalid" .Values.strategy) -}}
{{- toYaml .Values.strategy }}
{{- else -}}
type: RollingUpdate
rollingUpdate:
  maxUnavailable: {{ ternary 1 0 .Values.host_port.enabled }}
  maxSurge: {{ ternary 0 1 .Values.host_port.enabled }}
{{- end }}
{{- end }}

{{/* The Secret's value of `dhparam`, base64. */}}
{{- define "deis-router.dhparam" -}}
{{- $encoded := regexReplaceAll "\\s" .Values.dhparam "" }}
{{- if contains "-----BEGIN" .Values.dhparam }}
{{- $encoded = printf "%s\n" (trim .Values.dhparam) | b64enc }}
{{- end }}
{{- if not (contains "-----BEGIN DH PARAMETERS-----" (b64dec $encoded)) }}
{{- fail "dhparam: neither PEM of Diffie-Hellman parameters nor its base64" }}
{{- end }}
{{- $encoded }}
{{- end }}

{{/* Variables of the router, as YAML; what is left to its own default is not there. */}}
{{- define "deis-router.environment" -}}
DEIS_ROUTER_WORKLOAD: {{ .Values.kind }}
DEIS_ROUTER_DRAIN_TIMEOUT: {{ .Values.drain.timeout | quote }}
{{- if .Values.snapshot.enabled }}
DEIS_ROUTER_SNAPSHOT: /var/lib/deis-router/snapshot.json
{{- end }}
{{- with .Values.workers }}
DEIS_ROUTER_WORKERS: {{ . | quote }}
{{- end }}
{{- with .Values.address }}
DEIS_ROUTER_ADDRESS: {{ . | quote }}
{{- end }}
{{- with .Values.zone }}
DEIS_ROUTER_ZONE: {{ . | quote }}
{{- end }}
{{- with .Values.watchNamespace }}
DEIS_ROUTER_WATCH_NAMESPACE: {{ . | quote }}
{{- end }}
DEIS_ROUTER_SECRETS: {{ ternary "all" "named" .Values.secrets.clusterWide }}
DEIS_ROUTER_EXTERNAL_NAMES: {{ ternary "on" "off" .Values.externalNames | quote }}
DEIS_ROUTER_INGRESS: {{ ternary "on" "off" .Values.ingress.enabled | quote }}
{{- if .Values.ingress.enabled }}
DEIS_ROUTER_INGRESS_CONTROLLER: {{ .Values.ingress.controller | quote }}
DEIS_ROUTER_INGRESS_WITHOUT_CLASS: {{ ternary "on" "off" .Values.ingress.withoutClass | quote }}
{{- /* The address of a Service without load balancer is of no use to those that were given better ones. */}}
{{- $better := or .Values.ingress.publishAddresses .Values.host_port.enabled }}
{{- if and .Values.ingress.publishService (or (eq (include "deis-router.serviceType" .) "LoadBalancer") (not $better)) }}
DEIS_ROUTER_PUBLISH_SERVICE: {{ .Release.Namespace }}/{{ include "deis-router.name" . }}
{{- end }}
{{- with .Values.ingress.publishAddresses }}
DEIS_ROUTER_PUBLISH_ADDRESS: {{ join "," . | quote }}
{{- end }}
{{- end }}
{{- end }}
