# observe.sh: what plans need to know of a Podman host, in one go. Changes nothing.
#
# Podman's own lists (ps, info, network inspect) wait for a container that is being checkpointed, and a source that is
# held for a move is in that state for as long as it is held. So containers are found in the storage's own list and
# inspected with a time limit; lists of images, networks and volumes do not wait.
export LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
section() { printf '\n@@ %s\n' "$*"; }
quietly() { "$@" 2>/dev/null </dev/null; }

section tools
for name in podman runc crun criu conmon netavark aardvark-dns iptables-restore nft rsync zstd lz4 tar ssh \
    nsenter timeout flock setsid tc ip bash curl perl python3 systemctl; do
    command -v "$name" >/dev/null 2>&1 && echo "$name"
done
section uid
id -u
section machine
# What a host is, whatever it is called: this boot of this kernel, and where our state lies on it. Cloned images have
# the same machine-id; hosts that are namespaces of one kernel have the same boot.
cat /proc/sys/kernel/random/boot_id
stat -c %d:%i /var/lib/reconciler 2>/dev/null || stat -c %d:%i /var/lib
section kernel
uname -r
section arch
uname -m
for name in podman runc crun criu; do
    section "version $name"
    quietly "$name" --version
done
section features
for name in uffd uffd-noncoop mem_dirty_track nftables network_lock_nftables timens link_nsid; do
    quietly criu check --feature "$name" >/dev/null && echo "$name"
done
section cpu
grep -m1 -E '^(flags|Features)' /proc/cpuinfo
section memory
awk '/^MemAvailable:/ {print "available", $2}' /proc/meminfo
section cgroup
if [ -e /sys/fs/cgroup/cgroup.controllers ]; then echo 2; else echo 1; fi
# A host may serve another runtime only. But one that had Podman may still run what that has left.
section left
ls -d /var/lib/containers/storage/*-containers/containers.json 2>/dev/null
command -v podman >/dev/null 2>&1 || exit 0

section volumes
# Of all commands that do not wait for containers, only the debug log tells where the storage is.
exec 3>&1
log=$(timeout 20 podman --log-level=debug volume ls --format json 2>&1 >&3 </dev/null)
status=$?
section podman
[ "$status" = 0 ] || printf '%s\n' "$log" | grep -v level=debug | tail -3
root=$(printf '%s\n' "$log" | sed -n 's/.*Using graph root \([^"]*\)".*/\1/p' | head -1)
root=${root:-/var/lib/containers/storage}
section disk
df -B1 --output=avail "$root" 2>/dev/null | tail -1
section images
timeout 20 podman image ls --format json 2>/dev/null </dev/null
section networks
timeout 20 podman network ls --format json 2>/dev/null </dev/null
section stored
for list in "$root"/*-containers/containers.json "$root"/*-containers/volatile-containers.json; do
    [ -s "$list" ] && cat "$list" && echo
done
section end
