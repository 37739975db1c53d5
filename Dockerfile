# The images of the platform. They hold Node, what package.json needs to run, and the TypeScript as it is. They run as a
# user without a name, on a read-only root, without capabilities.
#
#     docker build --target router   --tag deis-router   .    the router alone
#     docker build --target workflow --tag deis-workflow .    controller, registry and its proxy, logger, collector
#     docker build --target builder  --tag deis-builder  .    the builder: it takes git besides
#
# BASE must have Node 26 as `node` in its PATH, and a shell while it is built; for the builder git as well, or apt.
# test/cluster/platform-images.ts builds on bases of its own where no image can be fetched.
ARG BASE=node:26-trixie-slim

FROM ${BASE} AS modules
WORKDIR /app
# Where npm cannot be used, what it would install is put into offline/ before.
COPY package.json package-lock.json offline* ./
RUN test -d node_modules || npm install --no-save --omit=dev --omit=optional --ignore-scripts --no-audit --no-fund
# What only a compiler, a debugger or a reader would open is half of it.
RUN find node_modules -type f '(' -name '*.map' -o -name '*.d.ts' -o -name '*.d.mts' -o -name '*.d.cts' \
      -o -name '*.md' ')' -delete \
 && rm -rf node_modules/@types node_modules/.package-lock.json \
 && find node_modules -type d -empty -delete

FROM ${BASE} AS common
ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
# A package manager is of no use to a server, and of some to an intruder.
RUN rm -rf /usr/local/lib/node_modules /usr/local/bin/npm /usr/local/bin/npx /usr/local/bin/corepack \
      /usr/local/bin/yarn /usr/local/bin/yarnpkg /opt/yarn-*
WORKDIR /app
COPY --from=modules /app/node_modules ./node_modules
COPY package.json LICENSE ./
COPY kit ./kit
COPY kube ./kube
# What Node makes of the TypeScript is kept, for this version of Node and this user: the router is ready a quarter of a
# second sooner and takes 40 MB less, as no thread has a compiler to load. Two arenas for malloc: eight for each CPU, as
# glibc has it, are as many heaps with holes.
ENV NODE_ENV=production NODE_COMPILE_CACHE=/app/compiled MALLOC_ARENA_MAX=2
RUN mkdir compiled && chown 65532:65532 compiled

FROM common AS services
COPY store ./store
COPY controller ./controller
COPY registry ./registry
COPY logger ./logger
# A number, so that Kubernetes can tell that it is not root.
USER 65532:65532
# What a service loads only when its command line asks for it is compiled as well.
RUN node controller/main.ts --help > /dev/null \
 && node registry/main.ts --help > /dev/null \
 && node registry/proxy/main.ts --help > /dev/null \
 && node logger/main.ts --help > /dev/null \
 && node logger/collector/main.ts --help > /dev/null \
 && node --eval "for (const name of ['controller/cluster/kubernetes/kubernetes-cluster', 'controller/store/postgres', 'store/s3/s3-store', 'store/folder/folder-store']) import('/app/' + name + '.ts')" \
 && test -n "$(find compiled -type f)"

FROM services AS workflow
LABEL org.opencontainers.image.title="deis-workflow" \
      org.opencontainers.image.description="Controller, registry, registry proxy, logger and collector of Deis Workflow"
RUN chmod -R a-w compiled
# The API, the registry and its proxy, logs; what is above 8999, 8089 and 8090 are for operators.
EXPOSE 8000 9091 5000 5001 9092 5555 9093 8088 1514 8089 8090
ENTRYPOINT ["node"]
CMD ["controller/main.ts"]

FROM services AS builder
LABEL org.opencontainers.image.title="deis-builder" \
      org.opencontainers.image.description="Takes apps by git push, and has them built"
USER root
RUN command -v git > /dev/null \
 || { apt-get update && apt-get install --yes --no-install-recommends ca-certificates git && rm -rf /var/lib/apt/lists/*; }
COPY builder ./builder
USER 65532:65532
RUN node builder/main.ts --help > /dev/null \
 && node --eval "import('/app/builder/build/kubernetes/kubernetes-strategy.ts')" \
 && chmod -R a-w compiled
# SSH, probes and metrics, sources for builds.
EXPOSE 2223 8092 8093
ENTRYPOINT ["node", "builder/main.ts"]

# The last one is what is built without --target.
FROM common AS router
LABEL org.opencontainers.image.title="deis-router" \
      org.opencontainers.image.description="Edge router and ingress controller for Kubernetes"
COPY router ./router
# HTTP, HTTPS, git push, health and metrics. All above 1024: no capability is needed.
EXPOSE 8080 6443 2222 9090
# A number, so that Kubernetes can tell that it is not root.
USER 65532:65532
# The entry of a data thread ends at once when it is no thread, but what it imports has been read by then.
RUN node router/main.ts --help > /dev/null \
 && ! node router/data/main.ts 2> /dev/null \
 && node --eval "import('undici')" \
 && test -n "$(find compiled -type f)" \
 && chmod -R a-w compiled
ENTRYPOINT ["node", "router/main.ts"]
