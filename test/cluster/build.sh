#!/usr/bin/env bash
# Builds what a test cluster is made of, from the Go module proxy, in the versions that mod/*/go.mod pin:
# etcd, kube-apiserver, kube-controller-manager, kubectl and helm, into ${HOLDFAST_CLUSTER_CACHE:-~/.cache/holdfast-cluster}/bin.
# A binary of the pinned version is left alone, so that only the first run on a machine takes minutes (about 6 on 2 idle cores).
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
bin=${HOLDFAST_CLUSTER_CACHE:-$HOME/.cache/holdfast-cluster}/bin
PATH=$PATH:/usr/local/go/bin
command -v go >/dev/null || { echo "go is missing: install Go 1.26 or newer (https://go.dev/doc/install)" >&2; exit 1; }
mkdir -p "$bin"
export CGO_ENABLED=0 GOFLAGS="-trimpath -buildvcs=false"

# In a go.mod the version of the module that a line requires by name.
version_in() { sed -n "s#^require $2 \([^ ]*\).*#\1#p" "$here/mod/$1/go.mod"; }

# True when the binary was built from that module in that version.
is_current() { go version -m "$bin/$1" 2>/dev/null | grep -q $'\tmod\t'"$2"$'\t'"$3"$'\t'; }

build() { # folder-of-mod module linker-flags binary=package...
  local folder=$1 module=$2 linker=$3 version new pair names=() packages=() t0=$SECONDS; shift 3
  version=$(version_in "$folder" "$module")
  for pair; do
    is_current "${pair%%=*}" "$module" "$version" || { names+=("${pair%%=*}"); packages+=("${pair#*=}"); }
  done
  [ ${#names[@]} -gt 0 ] || return 0
  echo "building ${names[*]} ($module $version)"
  new=$(mktemp -d "$bin/.new-XXXXXX")
  # All in one call: Go then shares the cores among them.
  (cd "$here/mod/$folder" && go build -ldflags "-s -w $linker" -o "$new/" "${packages[@]}")
  # Go names a binary after its package; the last step is a rename, so that what has a name is whole.
  for pair in "${!names[@]}"; do
    local made; made=$(sed 's#/v[0-9]*$##; s#.*/##' <<<"${packages[$pair]}")
    mv "$new/$made" "$bin/${names[$pair]}"
  done
  rmdir "$new"
  echo "built ${names[*]} in $((SECONDS - t0)) s"
}

# An API server calls itself v0.0.0-master otherwise, and what asks for its version (a chart's kubeVersion) believes it.
kube=$(version_in kube k8s.io/kubernetes)
minor=$(cut -d. -f2 <<<"$kube")
said=""
for package in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
  said+=" -X $package.gitVersion=$kube -X $package.gitMajor=1 -X $package.gitMinor=$minor"
done
commands=k8s.io/kubernetes/cmd
build etcd go.etcd.io/etcd/server/v3 "" etcd=go.etcd.io/etcd/server/v3
build kube k8s.io/kubernetes "$said" "kube-apiserver=$commands/kube-apiserver" \
  "kube-controller-manager=$commands/kube-controller-manager" "kubectl=$commands/kubectl"
build helm helm.sh/helm/v4 "" helm=helm.sh/helm/v4/cmd/helm
