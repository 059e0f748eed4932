#!/bin/sh
# boot.sh SUBNET GATEWAY RANGE: what a lab host does when it boots. PID 1 above it only reaps zombies.
# sshd is started once: a fault test that kills it must find it dead until it asks for a new one.
set -eu
subnet=$1 gateway=$2 range=$3

# cgroup v2 only: a group that hands controllers to its children must not hold processes itself.
if [ -s /sys/fs/cgroup/cgroup.controllers ]; then
    mkdir -p /sys/fs/cgroup/init
    for pid in $(cat /sys/fs/cgroup/cgroup.procs); do echo "$pid" > /sys/fs/cgroup/init/cgroup.procs || true; done
    for name in $(cat /sys/fs/cgroup/cgroup.controllers); do
        echo "+$name" > /sys/fs/cgroup/cgroup.subtree_control || true
    done
fi

ip link set lo up
# The controller puts the network card in once it knows this host's PID.
tries=0
until ip link show e0 up 2>/dev/null | grep -q e0; do
    tries=$((tries + 1))
    [ "$tries" -lt 1000 ] || { echo "no network card after 10 s" >&2; exit 1; }
    sleep 0.01
done

mkdir -p /run/sshd
/usr/sbin/sshd -E /var/log/sshd.log
if command -v podman >/dev/null; then
    podman network exists lab ||
        podman network create -d macvlan -o parent=e0 --subnet "$subnet" --gateway "$gateway" --ip-range "$range" lab
fi
if command -v dockerd >/dev/null; then sh /run/lab/dockerd.sh "$subnet" "$gateway" "$range"; fi
if [ -x /usr/bin/containerd ] && ! command -v dockerd >/dev/null; then # which starts one of its own
    sh /run/lab/containerd.sh "$subnet" "$gateway" "$range"
fi
# Guests' cards join a bridge, which takes over the host's address. Its MAC is the card's: peers notice nothing.
if command -v libvirtd >/dev/null; then
    address=$(ip -o -4 addr show dev e0 | awk '{print $4; exit}')
    ip link add br0 address "$(cat /sys/class/net/e0/address)" type bridge forward_delay 0 mcast_snooping 0
    ip link set br0 up
    ip addr del "$address" dev e0
    ip link set e0 master br0
    ip addr add "$address" dev br0
    sh /run/lab/libvirtd.sh "${address%/*}"
fi
: > /run/lab/ready
exec sleep infinity
