#!/bin/sh
# images.sh ROOTFS ARCHIVE STORE: load an image archive into a container store that hosts mount read-only.
# Runs in a mount namespace of its own, with the Podman of the hosts' root filesystem, which is not changed.
set -eu
rootfs=$1 archive=$2 store=$3
mount --bind "$rootfs" "$rootfs"
cd "$rootfs"
mount -o remount,bind,ro .
mount -t proc proc proc
mount -t tmpfs tmpfs run
mount -t tmpfs tmpfs tmp
mount -t tmpfs tmpfs var/tmp
mount --rbind /dev dev
mount -t sysfs sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup # Podman looks which version it is, even to load an image
mount --bind "$store" usr/share/reconciler/images
cp "$archive" tmp/image.tar
# Without the hosts' configuration: this store must not count as its own additional store.
printf '[storage]\ndriver = "overlay"\n' > tmp/storage.conf
CONTAINERS_STORAGE_CONF=/tmp/storage.conf exec chroot . /usr/bin/podman \
    --root /usr/share/reconciler/images --runroot /run/store load -i /tmp/image.tar
