// The container in which buildah builds a Dockerfile (builder contract, section 8), without privileges on the node
// (ADR 18). Whoever pushes is root of the image, in a user name space whose users are nobody on the node; buildah runs the
// commands in it with few capabilities, a seccomp filter, and a root directory of their own.

import { shortCommit } from '../strategy.ts'
import type { BuildContainer, BuildEnvVar, ContainerSecurity } from './job-types.ts'
import { builderContainer } from './names.ts'
import { buildUsers, type JobOptions, type UserNamespace } from './options.ts'
import {
  type BuildPlan,
  configKey,
  container,
  fromSecret,
  isVariable,
  places,
  secretKeys,
  sourceMount,
} from './pod-parts.ts'

/** Names that decide how buildah itself runs; the app's values of them are for its Dockerfile only, as arguments. */
const reserved = new Set(['PATH', 'HOME', 'TMPDIR', 'USER', 'SHELL', 'IFS', 'ENV', 'BASH_ENV', 'IMAGE', 'ARGUMENTS'])
const reservedPrefixes = ['LD_', 'BUILDAH_', 'CONTAINERS_', 'STORAGE_', '_CONTAINERS_', 'REGISTRY_AUTH', 'XDG_']

/** What buildah and the commands of a Dockerfile can make use of. */
const podCapabilities = [
  ...['CHOWN', 'DAC_OVERRIDE', 'FOWNER', 'FSETID', 'KILL', 'MKNOD', 'NET_BIND_SERVICE'],
  ...['SETFCAP', 'SETGID', 'SETPCAP', 'SETUID', 'SYS_ADMIN', 'SYS_CHROOT'],
]

/**
 * Makes the user name space, and does the rest in it. Only the user who made a name space may say whose its users are, and
 * of users that are not his he may do so with two capabilities; inside, they are worth nothing.
 */
const inOwnNamespace = `set -eu
unshare --user sleep 2147483647 &
holder=$!
ours=$(readlink /proc/self/ns/user)
tries=0
until namespace=$(readlink "/proc/$holder/ns/user") && [ "$namespace" != "$ours" ]; do
  tries=$((tries + 1))
  if [ "$tries" -gt 200 ] || ! kill -0 "$holder" 2> /dev/null; then
    echo 'This node lets nobody make a user name space, which builds of a Dockerfile need.' >&2
    exit 1
  fi
  sleep 0.05
done
echo '0 ${buildUsers.first} ${buildUsers.count}' > "/proc/$holder/uid_map"
echo '0 ${buildUsers.first} ${buildUsers.count}' > "/proc/$holder/gid_map"
code=0
nsenter --user="/proc/$holder/ns/user" unshare --mount /bin/sh -c "$1" || code=$?
kill "$holder"
exit "$code"
`

/** The same in a name space that the Pod has from its cluster. */
const inPodNamespace = `exec unshare --mount /bin/sh -c "$1"
`

/**
 * Values of arguments come by the environment: buildah takes what is named without a value from there. A line for each is
 * added at the end, so that one which is not used is no error. Layers are stacked by the kernel where it can, and copied
 * where it cannot. Below /var/lib buildah remembers which blobs of the registry layers were, and does not push them again.
 */
const build = `set -eu
umask 022
cd "$HOME"
mkdir -p run state/containers probe/lower probe/upper probe/work probe/merged
mount --bind state /var/lib
driver=vfs
if mount -t overlay overlay -o lowerdir=probe/lower,upperdir=probe/upper,workdir=probe/work probe/merged 2> /dev/null; then
  umount probe/merged
  driver=overlay
fi
cat > storage.conf <<END
[storage]
driver = "$driver"
graphroot = "$HOME/storage"
runroot = "$HOME/run"
END
if [ -n "$REGISTRY_AUTH" ]; then
  printf '%s' "$REGISTRY_AUTH" > auth.json
  export REGISTRY_AUTH_FILE="$HOME/auth.json"
fi
unset REGISTRY_AUTH
cd - > /dev/null
set --
if [ -n "$ARGUMENTS" ]; then
  echo >> Dockerfile
  for name in $ARGUMENTS; do
    echo "ARG $name" >> Dockerfile
    set -- "$@" --build-arg "$name"
  done
fi
buildah build --pull "--tls-verify=$TLS_VERIFY" --tag "$IMAGE" "$@" .
echo 'Pushing to registry'
buildah push --quiet "--tls-verify=$TLS_VERIFY" "$IMAGE"
`

/** Of the container. Those of the first two are for the name space alone, and work on nothing of the node. */
const security: Readonly<Record<UserNamespace, ContainerSecurity>> = {
  build: {
    allowPrivilegeEscalation: false,
    capabilities: { drop: ['ALL'], add: ['SETGID', 'SETUID'] },
    ...{ runAsNonRoot: false, runAsUser: 0, runAsGroup: 0 },
    // The filters of container runtimes forbid name spaces and mounts to all but the node's root; buildah puts one of its
    // own before each command of a Dockerfile.
    seccompProfile: { type: 'Unconfined' },
    appArmorProfile: { type: 'Unconfined' },
  },
  pod: {
    allowPrivilegeEscalation: false,
    // Over what is the Pod's own only. The runtime's filter lets its owner mount.
    capabilities: { drop: ['ALL'], add: podCapabilities },
    ...{ runAsNonRoot: false, runAsUser: 0, runAsGroup: 0 },
    appArmorProfile: { type: 'Unconfined' },
  },
}

export function dockerfileContainer(plan: BuildPlan, options: JobOptions): BuildContainer {
  const { request, target } = plan
  const { userNamespace } = options.dockerfiles
  const image = `${target.host}/${request.app}:git-${shortCommit(request.commit)}`
  const names = Object.keys(request.config).filter(isVariable)
  const hasArguments = Object.hasOwn(request.config, 'DEIS_DOCKER_BUILD_ARGS_ENABLED')
  const ours: readonly BuildEnvVar[] = [
    { name: 'HOME', value: places.home },
    { name: 'CONTAINERS_STORAGE_CONF', value: `${places.home}/storage.conf` },
    { name: 'XDG_RUNTIME_DIR', value: `${places.home}/run` },
    { name: 'BUILDAH_ISOLATION', value: 'chroot' },
    { name: 'BUILDAH_FORMAT', value: 'docker' },
    { name: 'TLS_VERIFY', value: String(!target.isPlain) },
    { name: 'SOURCE_VERSION', value: shortCommit(request.commit) },
    { name: 'IMG_NAME', value: `${request.app}:git-${shortCommit(request.commit)}` },
    { name: 'IMAGE', value: image },
    { name: 'ARGUMENTS', value: hasArguments ? names.filter(isFree).join(' ') : '' },
  ]
  const taken = new Set(ours.map(({ name }) => name))
  const own = {
    name: builderContainer.dockerfile,
    image: options.dockerfiles.image,
    command: ['/bin/sh', '-c', userNamespace === 'pod' ? inPodNamespace : inOwnNamespace, 'build', build],
    workingDir: places.source,
    env: [
      ...names.filter(name => isFree(name) && !taken.has(name)).map(name => fromSecret(name, plan, configKey(name))),
      ...ours,
      target.token === null
        ? { name: 'REGISTRY_AUTH', value: '' }
        : fromSecret('REGISTRY_AUTH', plan, secretKeys.registry),
    ],
    volumeMounts: [sourceMount(), { name: 'home', mountPath: places.home }],
  }
  return container(options, own, security[userNamespace])
}

function isFree(name: string): boolean {
  return !reserved.has(name) && !reservedPrefixes.some(prefix => name.startsWith(prefix))
}
