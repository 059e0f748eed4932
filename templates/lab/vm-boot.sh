#!/bin/sh
# boot.sh seed | ready: what a lab's virtual machine does when it boots, besides what Debian does.
#
# seed: take keys and addresses from the second disk, a tar archive that the lab writes before each start.
# ready: make the Podman network, then say on the console that this host can be used.
set -eu
seed=/run/lab
case $1 in
seed)
    mkdir -p "$seed"
    for disk in /sys/block/nvme0n*; do
        [ "$(cat "$disk/nsid")" != 2 ] || tar -C "$seed" -xf "/dev/${disk##*/}"
    done
    cp "$seed"/ssh_host_ed25519_key* /etc/ssh/
    cp "$seed/authorized_keys" /root/.ssh/authorized_keys
    chmod 600 /etc/ssh/ssh_host_ed25519_key
    cp "$seed/hosts" /etc/hosts
    # No time limit: where emulation has to share the machine, udev may take minutes to find and name the cards.
    until [ -e /sys/class/net/mgmt ] && [ -e /sys/class/net/e0 ]; do sleep 0.1; done
    read -r address _ < "$seed/network"
    ip addr add 10.0.2.15/24 dev mgmt
    ip addr add "$address" dev e0
    ip link set mgmt up
    ip link set e0 up
    ;;
ready)
    read -r _ subnet gateway range < "$seed/network"
    [ -e /etc/containers/networks/lab.json ] ||
        podman network create -d macvlan -o parent=e0 --subnet "$subnet" --gateway "$gateway" --ip-range "$range" lab
    echo "lab: ready" > /dev/ttyS0
    ;;
esac
