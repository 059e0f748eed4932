#!/bin/sh
# guest.sh ROOTFS TARGET: Debian's cloud kernel and four of its modules in TARGET, for the guests of lab hosts.
# Runs in a mount namespace of its own: what apt downloads and unpacks is on a tmpfs over ROOTFS, which stays as it is.
# $SETTINGS: this machine's own apt settings.
set -eu
rootfs=$1 target=$2
work=$(mktemp -d)
mount -t tmpfs tmpfs "$work"
mkdir "$work/upper" "$work/work" "$work/root"
mount -t overlay overlay -o "lowerdir=$rootfs,upperdir=$work/upper,workdir=$work/work" "$work/root"
root=$work/root
mount -t proc proc "$root/proc"
cp /etc/resolv.conf "$root/etc/resolv.conf"
[ -z "${SETTINGS:-}" ] || printf '%s\n' "$SETTINGS" > "$root/etc/apt/apt.conf.d/90machine"
# The kernel itself is what the package of the newest one depends on; no initramfs is made, so no tools are needed.
chroot "$root" sh -eu -c '
    apt-get -q update
    cd /tmp
    package=$(apt-cache depends linux-image-cloud-amd64 | sed -n "s/^ *Depends: \(linux-image-[0-9].*\)/\1/p" | head -n 1)
    apt-get -q -o APT::Sandbox::User=root download "$package"
    dpkg -x "$package"_*.deb kernel'
kernel=$root/tmp/kernel
cp "$kernel"/boot/vmlinuz-* "$target/vmlinuz"
for name in failover net_failover virtio_net virtio_blk; do
    find "$kernel" -name "$name.ko*" -exec cp {} "$target/" \;
done
rmdir_mounts() { umount "$root/proc" "$root" "$work" && rmdir "$work"; }
cd /
rmdir_mounts
