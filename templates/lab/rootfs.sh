#!/bin/sh
# rootfs.sh TARGET MIRROR SUITE PACKAGES [NEWER NEWER_PACKAGES]: build the root filesystem that all lab hosts share.
#
# PACKAGES come from SUITE, NEWER_PACKAGES from the suite NEWER, which is pinned so low that nothing else comes from
# it: only newer CRIU releases can dump TCP sockets on newer kernels. TARGET/etc/apt/apt.conf.d/90machine holds this
# machine's own apt settings (proxies and the like), written by the caller before the second stage through $SETTINGS.
set -eu
target=$1 mirror=$2 suite=$3 packages=$4 newer=${5:-} newer_packages=${6:-}
export DEBIAN_FRONTEND=noninteractive LC_ALL=C PATH=/usr/sbin:/usr/bin:/sbin:/bin

echo "step: base system ($suite)"
debootstrap --force-check-gpg --variant=minbase --include=ca-certificates "$suite" "$target" "$mirror"

cp /etc/resolv.conf "$target/etc/resolv.conf"
[ -z "${SETTINGS:-}" ] || printf '%s\n' "$SETTINGS" > "$target/etc/apt/apt.conf.d/90machine"
echo 'force-unsafe-io' > "$target/etc/dpkg/dpkg.cfg.d/lab"
printf 'path-exclude=/usr/share/%s/*\n' doc man locale info lintian > "$target/etc/dpkg/dpkg.cfg.d/lab-small"
printf '#!/bin/sh\nexit 101\n' > "$target/usr/sbin/policy-rc.d"
chmod 755 "$target/usr/sbin/policy-rc.d"
if [ -d /usr/local/share/ca-certificates ]; then
    cp -a /usr/local/share/ca-certificates/. "$target/usr/local/share/ca-certificates/"
    chroot "$target" update-ca-certificates >/dev/null 2>&1 || true
fi

# The folders /proc and /dev/null are all that maintainer scripts need; both vanish with this mount namespace.
mount -t proc proc "$target/proc"

echo "step: packages ($suite)"
chroot "$target" apt-get -q update
# Word splitting is wanted: these are lists of package names.
# shellcheck disable=SC2086
chroot "$target" apt-get -qy --no-install-recommends install $packages

if [ -n "$newer" ]; then
    echo "step: packages ($newer)"
    echo "deb $mirror $newer main" > "$target/etc/apt/sources.list.d/newer.list"
    printf 'Package: *\nPin: release n=%s\nPin-Priority: 100\n' "$newer" > "$target/etc/apt/preferences.d/newer"
    chroot "$target" apt-get -q -o Acquire::Check-Valid-Until=false update
    # shellcheck disable=SC2086
    chroot "$target" apt-get -qy --no-install-recommends install -t "$newer" $newer_packages
fi

echo "step: cleaning up"
chroot "$target" apt-get clean
rm -rf "$target"/var/lib/apt/lists/* "$target"/usr/sbin/policy-rc.d "$target"/etc/ssh/ssh_host_* "$target"/var/cache/debconf/*
: > "$target/etc/resolv.conf"
rm -f "$target/etc/apt/apt.conf.d/90machine"
umount "$target/proc"
mkdir -p "$target/etc/containers" "$target/etc/ssh/sshd_config.d" "$target/usr/share/reconciler/images"

# Lab hosts have cgroups of their own, but no systemd to manage them and no journal to log to.
cat > "$target/etc/containers/containers.conf" <<'E'
[containers]
pids_limit = 0
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "runc"
E
# The demo image is in a read-only store which every host mounts; all else goes to the host's own storage.
cat > "$target/etc/containers/storage.conf" <<'E'
[storage]
driver = "overlay"
runroot = "/run/containers/storage"
graphroot = "/var/lib/containers/storage"
[storage.options]
additionalimagestores = ["/usr/share/reconciler/images"]
E
# PerSourcePenalties: a fault test that kills sessions must not be locked out afterwards.
cat > "$target/etc/ssh/sshd_config.d/lab.conf" <<'E'
HostKey /etc/ssh/ssh_host_ed25519_key
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
UseDNS no
MaxStartups 100
MaxSessions 100
PerSourcePenalties no
E
chroot "$target" dpkg-query -W -f '${Package} ${Version}\n' > "$target/usr/share/reconciler/packages"
echo "step: done"
