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
mount --bind "$store" usr/share/reconciler/images
cp "$archive" tmp/image.tar
# An empty configuration: this store must not count as its own additional store.
: > tmp/storage.conf
CONTAINERS_STORAGE_CONF=/tmp/storage.conf exec chroot . /usr/bin/podman --storage-driver overlay \
    --root /usr/share/reconciler/images --runroot /run/store load -i /tmp/image.tar
