#!/usr/bin/env bash
# Runs a command on the file system of a buildah container as Kubernetes is asked to do it by our chart: as process 1 of
# its own, as user 1000, without capabilities or ways to new ones, on a root that nobody can write to. The network is
# that of the caller. What a container runtime adds to that (cgroups, seccomp) is not here.
#
#     run.sh CONTAINER [FOLDER:PLACE | memory:PLACE ...] -- COMMAND...
#
# Each FOLDER is seen, read-only, at PLACE; `memory` is what the kubelet makes of an emptyDir in memory: empty, and anybody
# may write to it. The command is the process that this becomes: its child gets the signals.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
if [ "$$" != 1 ]; then
  # Ends with whoever started it, whatever happens to that.
  exec setpriv --pdeathsig KILL -- unshare --mount --pid --fork --kill-child=KILL -- "$here/run.sh" "$@"
fi
root=$("$here/images.sh" mount "$1"); shift
while [ "$1" != -- ]; do
  # Made and looked up from inside: /var/run is a link, and from here it would lead out.
  chroot "$root" mkdir -p "${1#*:}"
  place="$root$(chroot "$root" realpath "${1#*:}")"
  if [ "${1%%:*}" = memory ]; then
    mount -t tmpfs -o mode=0777,size=1m tmpfs "$place"
  else
    mount --bind -o ro "${1%%:*}" "$place"
  fi
  shift
done
shift
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount -o remount,ro "$root"
# Once more after the change of user, which undoes it.
exec setpriv --no-new-privs -- chroot --userspec=1000:1000 --groups= "$root" setpriv --pdeathsig KILL -- "$@"
