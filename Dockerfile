# Holdfast as an image: docs/image.md says how it is built and run.
#
# The base is named by its tag, Node's current LTS line on a small Debian, so that a rebuild takes up its security fixes.
# Who wants the same bytes every time gives a digest: --build-arg NODE_IMAGE=docker.io/library/node@sha256:...
ARG NODE_IMAGE=docker.io/library/node:24-bookworm-slim

# What is made in the next four stages is the same for every platform: nothing in it is native code.
FROM --platform=${BUILDPLATFORM} ${NODE_IMAGE} AS manifest
ENV NPM_CONFIG_UPDATE_NOTIFIER=false
WORKDIR /holdfast
COPY package.json package-lock.json ./

# A secret named npmrc, if there is one, is npm's configuration for a private registry. It is mounted, never copied.
# No install scripts: nothing that is used here has one.
FROM manifest AS tools
RUN --mount=type=secret,id=npmrc NPM_CONFIG_USERCONFIG=/run/secrets/npmrc \
    npm ci --ignore-scripts --no-audit --no-fund

# What Node cannot or does not use is left out: TypeScript (it runs none below node_modules), source maps (it reads them
# only when told to), tests, and addons for another runtime (.bare).
FROM manifest AS production
RUN --mount=type=secret,id=npmrc NPM_CONFIG_USERCONFIG=/run/secrets/npmrc \
    npm ci --omit=dev --ignore-scripts --no-audit --no-fund
RUN find node_modules -type f -regextype posix-extended -regex '.*(\.[mc]?ts|\.map|\.test\.[mc]?js|\.bare|/@types/.*)' -delete \
    && find node_modules -type d -empty -delete

FROM tools AS build
COPY tsconfig.json tsconfig.build.json ./
COPY src src/
RUN npm run build -- --declaration false --sourceMap false
# For `kubectl exec ... -- holdfast tunnels`. Made here: the last stage runs nothing, so it needs no emulation.
RUN mkdir /links && ln -s /holdfast/bin/holdfast.cjs /links/holdfast

FROM ${NODE_IMAGE}
ENV NODE_ENV=production \
    HOLDFAST_HTTP=:8080 \
    HOLDFAST_ADMIN=:9090
WORKDIR /holdfast
# What changes least comes first. Everything belongs to root: the process cannot change its own code.
COPY --from=production /holdfast/node_modules node_modules/
COPY --chmod=644 package.json LICENSE ./
COPY --chmod=755 bin bin/
COPY --from=build /holdfast/dist dist/
COPY --from=build /links/ /usr/local/bin/

# By number, which Kubernetes needs to see that it is not root (runAsNonRoot).
USER 1000:1000
EXPOSE 8080 9090
STOPSIGNAL SIGTERM
# The exec form: node is the first process and gets the signal itself. No HEALTHCHECK: Kubernetes does not read it, OCI
# images cannot hold it, and /readyz and /healthz on port 9090 answer.
ENTRYPOINT ["node", "/holdfast/bin/holdfast.cjs"]
CMD ["--help"]

ARG VERSION=""
ARG REVISION=""
ARG SOURCE=""
LABEL org.opencontainers.image.title="Holdfast" \
      org.opencontainers.image.description="An ingress for WebSocket on Kubernetes that keeps clients connected while everything behind them changes" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.source="${SOURCE}"
