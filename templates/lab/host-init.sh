#!/bin/sh
# host-init.sh DIR ROOTFS IMAGES NAME BOOT_ARG...: make a host out of fresh namespaces, then become its init.
#
# DIR holds all that stays over a reboot: upper/ and work/ (changes to the root filesystem), storage/ (containers;
# not on an overlay, which cannot be stacked), reconciler/, and seed/ (keys and boot.sh, copied at each boot).
# Runs as PID 1 of the new PID namespace; /proc is still the outer one, so /proc/self/stat tells the outer PID.
set -eu
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
dir=$1 rootfs=$2 images=$3 name=$4
shift 4
read -r outer_pid _ < /proc/self/stat
echo "$outer_pid" > "$dir/pid.tmp"
mv "$dir/pid.tmp" "$dir/pid"

root=$dir/root
mount -t overlay overlay -o "lowerdir=$rootfs,upperdir=$dir/upper,workdir=$dir/work" "$root"
cd "$root"
mount -t proc proc proc
mount -t sysfs sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs -o mode=1777 tmpfs tmp

mount -t tmpfs -o mode=755 tmpfs dev
for node in null zero full random urandom tty fuse kmsg userfaultfd; do
    [ -e "/dev/$node" ] || continue
    : > "dev/$node"
    mount --bind "/dev/$node" "dev/$node"
done
mkdir dev/net dev/pts dev/shm
mknod dev/net/tun c 10 200
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts dev/pts
mount -t tmpfs -o mode=1777 tmpfs dev/shm
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
ln -s /proc/self/fd/0 dev/stdin
ln -s /proc/self/fd/1 dev/stdout
ln -s /proc/self/fd/2 dev/stderr

# All hosts share one kernel, so they would share its boot ID too; programs tell a reboot by it.
cat proc/sys/kernel/random/uuid > run/boot-id
mount --bind run/boot-id proc/sys/kernel/random/boot_id

mkdir -p var/lib/containers var/lib/reconciler root/.ssh run/lab
mount --bind "$dir/storage" var/lib/containers
mount --bind "$dir/reconciler" var/lib/reconciler
mount --bind "$images" usr/share/reconciler/images
mount -o remount,bind,ro usr/share/reconciler/images
cp "$dir"/seed/ssh_host_ed25519_key* etc/ssh/
cp "$dir/seed/authorized_keys" root/.ssh/authorized_keys
chmod 700 root/.ssh
chmod 600 etc/ssh/ssh_host_ed25519_key
cp "$dir/seed/hosts" etc/hosts
cp "$dir/seed/machine-id" etc/machine-id
cp "$dir"/seed/*.sh run/lab/
echo "$name" > etc/hostname
hostname "$name"

mkdir -p .old
pivot_root . .old
umount -l /.old
rmdir /.old
mount --make-rshared /
exec /usr/bin/env -i HOME=/root LANG=C.UTF-8 PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    /usr/bin/catatonit -- /bin/sh /run/lab/boot.sh "$@"
