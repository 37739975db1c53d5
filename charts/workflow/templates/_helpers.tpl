{{/* Names of what others look for (contracts of builder, registry and logger) are no values: one release in a namespace. */}}

{{/* Of objects outside of the namespace: other platforms have their own. */}}
{{- define "deis.scopedName" -}}
{{ .name }}-{{ .root.Release.Namespace }}
{{- end }}

{{- define "deis.buildNamespace" -}}
{{ .Values.builder.namespace.name | default (printf "%s-builds" .Release.Namespace) }}
{{- end }}

{{/* What pods of a component are selected by. It may never change. */}}
{{- define "deis.selectorLabels" -}}
app: {{ . }}
{{- end }}

{{/* Metadata of an object of ours: (dict "root" $ "name" NAME), and "component", "labels", "annotations", "cluster", "namespace". */}}
{{- define "deis.metadata" -}}
name: {{ .name }}
{{- if not .cluster }}
namespace: {{ .namespace | default .root.Release.Namespace }}
{{- end }}
labels:
  {{- with .root }}
  helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
  app.kubernetes.io/name: {{ .Chart.Name }}
  app.kubernetes.io/instance: {{ .Release.Name | quote }}
  app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
  app.kubernetes.io/part-of: deis
  app.kubernetes.io/managed-by: {{ .Release.Service }}
  heritage: deis
  {{- end }}
  app.kubernetes.io/component: {{ .component | default (trimPrefix "deis-" .name) }}
  {{- with merge (dict) (.labels | default dict) .root.Values.commonLabels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with .annotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* (dict "root" $ "image" .Values.images.workflow) */}}
{{- define "deis.image" -}}
{{- with .image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ .tag | default $.root.Chart.AppVersion }}
{{- end }}
{{- end }}
{{- end }}

{{/*
What is generated once: (password, builderKey, hostKey, tokenKey, tokenCertificate), as base64. Made at the first use in a rendering and kept for the
rest of it; what is in the cluster already stays as it is.
*/}}
{{- define "deis.generate" -}}
{{- if not (hasKey .Values "generated") }}
{{- $known := dict }}
{{- range $key, $name := dict "password" "database-creds" "builder-key" "builder-key-auth" "ssh-host-ecdsa-key" "builder-ssh-private-keys" "tls.key" "registry-token-key" "tls.crt" "registry-token-key" }}
{{- $secret := lookup "v1" "Secret" $.Release.Namespace $name | default dict }}
{{- $_ := set $known $key (get ($secret.data | default dict) $key) }}
{{- end }}
{{- $password := get $known "password" | default (randAlphaNum 32 | b64enc) }}
{{- $builderKey := get $known "builder-key" | default (randAlphaNum 64 | b64enc) }}
{{- $hostKey := get $known "ssh-host-ecdsa-key" }}
{{- if not $hostKey }}
{{- $hostKey = genPrivateKey "ecdsa" | b64enc }}
{{- end }}
{{- $tokenKey := get $known "tls.key" }}
{{- $tokenCertificate := get $known "tls.crt" }}
{{- if not (and $tokenKey $tokenCertificate) }}
{{- /* Only a certificate says the public half; nobody looks at the rest of it. */}}
{{- $pair := genSelfSignedCertWithKey "deis-controller" nil nil 36500 (genPrivateKey "ecdsa") }}
{{- $tokenKey = b64enc $pair.Key }}
{{- $tokenCertificate = b64enc $pair.Cert }}
{{- end }}
{{- $_ := set .Values "generated" (dict "password" $password "builderKey" $builderKey "hostKey" $hostKey "tokenKey" $tokenKey "tokenCertificate" $tokenCertificate) }}
{{- end }}
{{- end }}

{{- define "deis.databaseSecret" -}}
{{ .Values.existingSecrets.database | default "database-creds" }}
{{- end }}
{{- define "deis.builderKeySecret" -}}
{{ .Values.existingSecrets.builderKey | default "builder-key-auth" }}
{{- end }}
{{- define "deis.hostKeysSecret" -}}
{{ .Values.existingSecrets.hostKeys | default "builder-ssh-private-keys" }}
{{- end }}
{{- define "deis.tokenKeySecret" -}}
{{ .Values.existingSecrets.registryTokenKey | default "registry-token-key" }}
{{- end }}
{{- define "deis.withTokens" -}}
{{- if eq .Values.registry.access "tokens" }}true{{ end }}
{{- end }}
{{- define "deis.storageSecret" -}}
{{ .Values.storage.s3.existingSecret | default "objectstorage-keyfile" }}
{{- end }}
{{- define "deis.inCluster" -}}
{{- if eq .Values.database.location "on-cluster" }}true{{ end }}
{{- end }}
{{- define "deis.onS3" -}}
{{- if eq .Values.storage.type "s3" }}true{{ end }}
{{- end }}

{{/* Labels and annotations of pods: (dict "root" $ "name" NAME "values" .Values.controller "secrets" (list "password")) */}}
{{- define "deis.podMetadata" -}}
{{- include "deis.generate" .root }}
labels:
  {{- $labels := include "deis.selectorLabels" .name | fromYaml }}
  {{- $own := dict "app.kubernetes.io/name" .root.Chart.Name "app.kubernetes.io/instance" .root.Release.Name "app.kubernetes.io/component" (trimPrefix "deis-" .name) }}
  {{- toYaml (merge $labels $own .values.podLabels) | nindent 2 }}
{{- $annotations := merge (dict) .values.podAnnotations }}
{{- with .secrets }}
{{- /* Pods read them when they start. */}}
{{- $texts := list }}
{{- range . }}
{{- $texts = append $texts (get $.root.Values.generated .) }}
{{- end }}
{{- $_ := set $annotations "checksum/secrets" (join " " $texts | sha256sum) }}
{{- end }}
{{- with .checksum }}
{{- $_ := set $annotations "checksum/config" (. | toJson | sha256sum) }}
{{- end }}
{{- with $annotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/*
What all pods have in common: (dict "root" $ "name" NAME "values" .Values.controller), and "account": name of the service
account whose token it needs, "grace", "context".
*/}}
{{- define "deis.podSpec" -}}
{{- with .account }}
serviceAccountName: {{ . }}
{{- end }}
automountServiceAccountToken: {{ not (empty .account) }}
{{- /* Services deis-registry and their like would set DEIS_REGISTRY_PORT, which is a variable of the registry. */}}
enableServiceLinks: false
{{- with .grace }}
terminationGracePeriodSeconds: {{ . }}
{{- end }}
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.priorityClass.name }}
priorityClassName: {{ . }}
{{- end }}
securityContext:
  {{- toYaml (.context | default .root.Values.podSecurityContext) | nindent 2 }}
{{- include "deis.place" . }}
{{- end }}

{{/* Where pods run: a component's own nodes, or else those of the control plane. */}}
{{- define "deis.place" -}}
{{- $plane := ternary (dict) .root.Values.planes.control (not (empty .everywhere)) }}
{{- with .values.nodeSelector | default $plane.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.tolerations | default $plane.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* Of a container: (dict "root" $ "image" .Values.images.workflow) */}}
{{- define "deis.containerImage" -}}
image: {{ include "deis.image" . | quote }}
imagePullPolicy: {{ .image.pullPolicy | default "IfNotPresent" }}
{{- end }}

{{- define "deis.containerEnd" -}}
resources:
  {{- toYaml .values.resources | nindent 2 }}
securityContext:
  {{- toYaml .root.Values.securityContext | nindent 2 }}
{{- /* What made it exit is then in the pod's status. */}}
terminationMessagePolicy: FallbackToLogsOnError
{{- end }}

{{/* (dict "port" 8000), and "alive", "ready": paths; "failures"; "host" for what listens on the node itself. */}}
{{- define "deis.probes" -}}
livenessProbe:
  httpGet: {path: {{ .alive | default "/healthz" }}, port: {{ .port }}{{ with .host }}, host: {{ . }}{{ end }}}
  initialDelaySeconds: 10
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: {{ .failures | default 6 }}
readinessProbe:
  httpGet: {path: {{ .ready | default "/healthz" }}, port: {{ .port }}{{ with .host }}, host: {{ . }}{{ end }}}
  initialDelaySeconds: 1
  periodSeconds: 3
  timeoutSeconds: 5
  failureThreshold: 2
{{- end }}

{{/* Variables with plain values: a map, as entries of `env`. */}}
{{- define "deis.env" -}}
{{- range $name, $value := . }}
{{- if not (kindIs "invalid" $value) }}
- {name: {{ $name }}, value: {{ toString $value | quote }}}
{{- end }}
{{- end }}
{{- end }}

{{/* Flags of a service that keeps things in a store: (dict "root" $ "prefix" "DEIS_REGISTRY" "folder" "/data") */}}
{{- define "deis.storeEnv" -}}
{{- if include "deis.onS3" .root }}
{{- with .root.Values.storage.s3 }}
- {name: {{ $.prefix }}_S3_CREDENTIALS, value: /var/run/secrets/deis/objectstore/creds}
{{- with .endpoint }}
- {name: {{ $.prefix }}_S3_ENDPOINT, value: {{ . | quote }}}
{{- end }}
{{- with .pathStyle }}
- {name: {{ $.prefix }}_S3_PATH_STYLE, value: {{ . | quote }}}
{{- end }}
{{- if not .existingSecret }}
- {name: {{ $.prefix }}_S3_REGION, value: {{ .region | quote }}}
{{- end }}
{{- end }}
{{- else }}
- {name: {{ .prefix }}_FOLDER, value: {{ .folder | quote }}}
{{- end }}
{{- end }}

{{- define "deis.storeMount" -}}
{{- if include "deis.onS3" .root }}
- {name: objectstore, mountPath: /var/run/secrets/deis/objectstore/creds, readOnly: true}
{{- else }}
- {name: data, mountPath: {{ .mount | default "/data" }}}
{{- end }}
{{- end }}

{{- define "deis.storeVolume" -}}
{{- if include "deis.onS3" .root }}
- name: objectstore
  secret: {secretName: {{ include "deis.storageSecret" .root }}, defaultMode: 288}
{{- else }}
- name: data
  persistentVolumeClaim: {claimName: {{ .persistence.existingClaim | default .claim }}}
{{- end }}
{{- end }}

{{/* A PersistentVolumeClaim that outlives the release: (dict "root" $ "name" NAME "persistence" .Values.registry.persistence) */}}
{{- define "deis.claim" -}}
{{- if not .persistence.existingClaim }}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata:
  {{- include "deis.metadata" (dict "root" .root "name" .name "annotations" (dict "helm.sh/resource-policy" "keep")) | nindent 2 }}
spec:
  accessModes: [ReadWriteOnce]
  {{- with .persistence.storageClass | default .root.Values.storage.storageClass }}
  storageClassName: {{ . | quote }}
  {{- end }}
  resources:
    requests:
      storage: {{ .persistence.size }}
{{- end }}
{{- end }}

{{/* Where the database is, for its own programs (libpq). */}}
{{- define "deis.libpqEnv" -}}
{{- $secret := include "deis.databaseSecret" . }}
{{- if include "deis.inCluster" . }}
- {name: PGHOST, value: deis-database.{{ .Release.Namespace }}.svc}
- name: PGUSER
  valueFrom: {secretKeyRef: {name: {{ $secret }}, key: user}}
- name: PGPASSWORD
  valueFrom: {secretKeyRef: {name: {{ $secret }}, key: password}}
- {name: PGDATABASE, value: deis}
{{- else }}
- name: DATABASE_URL
  valueFrom: {secretKeyRef: {name: {{ .Values.database.offCluster.existingSecret }}, key: url}}
{{- end }}
{{- end }}

{{/* The authority of a database off-cluster. */}}
{{- define "deis.databaseCaMount" -}}
{{- if and (not (include "deis.inCluster" .)) .Values.database.offCluster.caSecret }}
- {name: database-ca, mountPath: /etc/deis/database, readOnly: true}
{{- end }}
{{- end }}
{{- define "deis.databaseCaVolume" -}}
{{- if and (not (include "deis.inCluster" .)) .Values.database.offCluster.caSecret }}
- name: database-ca
  secret: {secretName: {{ .Values.database.offCluster.caSecret }}, items: [{key: ca.crt, path: ca.crt}], defaultMode: 288}
{{- end }}
{{- end }}
