# facts.sh: what a host is, whatever runtimes are on it. Changes nothing.
# The clock comes last, so that the reader can compare it with its own at the moment of the answer.
export LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
section() { printf '\n@@ %s\n' "$*"; }
quietly() { "$@" 2>/dev/null </dev/null; }

section tools
for name in criu iptables-restore nft rsync zstd lz4 tar ssh \
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
section 'version criu'
quietly criu --version
section features
command -v criu >/dev/null 2>&1 &&
    for name in uffd uffd-noncoop mem_dirty_track nftables network_lock_nftables timens link_nsid; do
        quietly criu check --feature "$name" >/dev/null && echo "$name"
    done
section cpu
grep -m1 -E '^(flags|Features)' /proc/cpuinfo
section memory
awk '/^MemAvailable:/ {print "available", $2}' /proc/meminfo
section cgroup
if [ -e /sys/fs/cgroup/cgroup.controllers ]; then echo 2; else echo 1; fi
section disk
# Of what will lie there: the folder itself may not be there yet.
place=/var/lib/reconciler
[ -d "$place" ] || place=/var/lib
df -B1 --output=avail "$place" 2>/dev/null | tail -1
section clock
date +%s.%N
section end
