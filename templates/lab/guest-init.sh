#!/bin/sh
# The whole user land of a lab guest: a card with an address, and a workload that answers on it. `guest_...` come from
# the kernel's command line, which hands words that it does not know to the first process.
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
for name in failover net_failover virtio_net virtio_blk; do insmod "/$name.ko"; done
ip link set lo up
ip link set eth0 up
# shellcheck disable=SC2154 # what is said above
ip addr add "$guest_address/24" dev eth0
exec /bin/counter --memory "${guest_memory:-16}" --dirty "${guest_dirty:-0}"
