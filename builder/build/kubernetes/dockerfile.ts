// The container in which buildah builds a Dockerfile (builder contract, section 8), without privileges: the layers are
// plain directories, and the only user that there is in the image is the one of the Pod.
//
// Steps with RUN fail so far: buildah sets groups before each of them, which nobody may in a name space of one user.

import { shortCommit } from '../strategy.ts'
import type { BuildContainer, BuildEnvVar } from './job-types.ts'
import { builderContainer } from './names.ts'
import type { JobOptions } from './options.ts'
import { type BuildPlan, configKey, container, fromSecret, isVariable, places, sourceMount } from './pod-parts.ts'

/** Names that decide how buildah itself runs; the app's values of them are for its Dockerfile only, as arguments. */
const reserved = new Set(['PATH', 'HOME', 'TMPDIR', 'USER', 'SHELL', 'IFS', 'ENV', 'BASH_ENV', 'IMAGE', 'ARGUMENTS'])
const reservedPrefixes = ['LD_', 'BUILDAH_', 'CONTAINERS_', 'STORAGE_', '_CONTAINERS_', 'REGISTRY_AUTH', 'XDG_']

/**
 * Values of arguments come by the environment: buildah takes what is named without a value from there. A line for each is
 * added at the end, so that one which is not used is no error. The name space with one user, root, is made before buildah
 * would make its own: that takes programs with privileges, which nobody has here. Files of other users are root's then.
 */
const script = `set -eu
cat > "$HOME/storage.conf" <<END
[storage]
driver = "vfs"
graphroot = "$HOME/storage"
runroot = "$HOME/run"
[storage.options]
ignore_chown_errors = "true"
[storage.options.vfs]
ignore_chown_errors = "true"
END
mkdir -p "$HOME/run"
set --
if [ -n "$ARGUMENTS" ]; then
  echo >> Dockerfile
  for name in $ARGUMENTS; do
    echo "ARG $name" >> Dockerfile
    set -- "$@" --build-arg "$name"
  done
fi
alone() { unshare --user --map-root-user --mount "$@"; }
alone buildah build --pull "--tls-verify=$TLS_VERIFY" --tag "$IMAGE" "$@" .
echo 'Pushing to registry'
alone buildah push --quiet "--tls-verify=$TLS_VERIFY" "$IMAGE"
`

export function dockerfileContainer(plan: BuildPlan, options: JobOptions): BuildContainer {
  const { request, target } = plan
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
  return container(options, {
    name: builderContainer.dockerfile,
    image: options.dockerfiles.image,
    command: ['/bin/sh', '-c', script],
    workingDir: places.source,
    env: [
      ...names.filter(name => isFree(name) && !taken.has(name)).map(name => fromSecret(name, plan, configKey(name))),
      ...ours,
    ],
    volumeMounts: [sourceMount(), { name: 'home', mountPath: places.home }],
  })
}

function isFree(name: string): boolean {
  return !reserved.has(name) && !reservedPrefixes.some(prefix => name.startsWith(prefix))
}
