#!/usr/bin/env bash
# Images for the tests, without an image registry (Debian; as root; needs buildah and mmdebstrap):
#
#     images.sh setup            what needs package registries, before a test run enters its network namespace: a stand-in
#                                for the Dockerfile's base (Debian minbase, Node as package.json pins it, npm), and the
#                                layers of the Dockerfile that run `npm ci`
#     images.sh is-prepared      whether that has been done for the dependencies as they are now
#     images.sh holdfast FLAG... the Dockerfile as it stands, with more flags of `buildah build`; from then on without
#                                any network, until package-lock.json changes
#     images.sh buildah ...      buildah on this storage
#     images.sh mount CONTAINER  mounts its files in the caller's mount namespace, and says where
#
# What is fetched and built is kept in ${HOLDFAST_CLUSTER_CACHE:-~/.cache/holdfast-cluster}/images.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
repo=$(cd "$here/../../.." && pwd)
store=${HOLDFAST_CLUSTER_CACHE:-$HOME/.cache/holdfast-cluster}/images
base=docker.io/library/node:24-bookworm-slim
node=$repo/node_modules/node/bin/node
npm=npm@11.19.1
# The host's certificates, since RUN npm ci must trust what npm on the host trusts. In this stand-in alone.
certificates=/etc/ssl/certs/ca-certificates.crt
buildah=(buildah --root "$store/storage" --runroot "$store/runroot" --storage-driver overlay)
mkdir -p "$store"

# In a mount namespace of its own: buildah leaves overlays mounted, which nobody else would ever unmount.
bud() { unshare --mount "${buildah[@]}" "$@"; }
# Plain chroot: neither runc nor a network of its own is needed.
build() { bud build --isolation chroot --network host --pull-never "$@"; }

base() {
  local key kept=""
  key=$({ cat "$here/base.Dockerfile" "$node" "$certificates" && echo "$npm"; } | sha256sum)
  [ -f "$store/base.key" ] && kept=$(cat "$store/base.key")
  if [ "$key" = "$kept" ] && bud inspect --type image "$base" >/dev/null 2>&1; then return; fi
  echo "images: building a stand-in for $base" >&2
  rm -f "$store/base.key"
  local work=$store/base; mkdir -p "$work/context"
  [ -f "$work/rootfs.tar" ] || { debian "$work/new.tar" && mv "$work/new.tar" "$work/rootfs.tar"; }
  (mkdir -p "$work/npm" && cd "$work/npm" && npm install --prefix . --ignore-scripts --no-audit --no-fund --silent "$npm")
  cp -f "$work/rootfs.tar" "$node" "$certificates" "$work/context"
  rm -rf "$work/context/npm"; cp -r "$work/npm/node_modules/npm" "$work/context/npm"
  cp "$here/base.Dockerfile" "$work/context/Dockerfile"
  build --layers=false --quiet -t "$base" "$work/context" >/dev/null
  rm -rf "$work/context"
  echo "$key" >"$store/base.key"
}

debian() {
  mmdebstrap --quiet --variant=minbase --include=ca-certificates,libstdc++6 --dpkgopt='path-exclude=/usr/share/doc/*' \
    --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' bookworm "$1" >&2
}

holdfast() {
  local secret=()
  [ -f "$HOME/.npmrc" ] && secret=(--secret "id=npmrc,src=$HOME/.npmrc")
  build --layers "${secret[@]}" --build-arg VERSION=0.0.0-test --build-arg REVISION=0123456789 \
    --build-arg SOURCE=https://example.test/holdfast "$@" "$repo" >&2
}

setup() {
  forget_when_large
  base
  holdfast --target tools
  holdfast --target production
  mkdir -p "$store/prepared"; touch "$(mark)"
}

# What the prepared layers are made from.
mark() { echo "$store/prepared/$(cat "$repo"/package*.json "$store/base.key" | sha256sum | cut -c1-16)"; }

# Layers of older dependencies are never used again, and nobody else would ever delete them.
forget_when_large() {
  local megabytes; megabytes=$(du -sm "$store/storage" 2>/dev/null | cut -f1)
  [ "${megabytes:-0}" -ge 6000 ] || return 0
  echo "images: forgetting $megabytes MB of layers" >&2
  rm -rf "$store/prepared"
  bud rmi --all --force >/dev/null
}

case ${1:-} in
  setup) setup ;;
  is-prepared) [ -f "$store/base.key" ] && [ -f "$(mark)" ] ;;
  holdfast) shift; holdfast "$@" ;;
  buildah) shift; bud "$@" ;;
  mount) "${buildah[@]}" mount "$2" ;;
  *) sed -n '2,13p' "${BASH_SOURCE[0]}" >&2; exit 2 ;;
esac
