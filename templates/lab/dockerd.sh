#!/bin/sh
# dockerd.sh SUBNET GATEWAY RANGE: configure and start dockerd on a lab host, without systemd, and wait until it answers.
# Its data is not on the host's overlay, which cannot be stacked. The demo image is loaded from an archive: no registry.
set -eu
subnet=$1 gateway=$2 range=$3
data=/var/lib/containers/docker
mkdir -p /etc/docker "$data"
cat > /etc/docker/daemon.json <<C
{"experimental": true, "live-restore": true, "data-root": "$data", "storage-driver": "overlay2",
 "exec-opts": ["native.cgroupdriver=cgroupfs"], "iptables": false, "ip6tables": false, "ip-masq": false, "bridge": "none"}
C
rm -f /run/docker.pid
setsid --fork dockerd </dev/null >>/var/log/dockerd.log 2>&1
tries=0
until docker version >/dev/null 2>&1; do
    tries=$((tries + 1))
    [ "$tries" -lt 600 ] || { echo "dockerd does not answer" >&2; tail /var/log/dockerd.log >&2; exit 1; }
    sleep 0.1
done
docker network inspect lab >/dev/null 2>&1 ||
    docker network create -d macvlan -o parent=e0 --subnet "$subnet" --gateway "$gateway" --ip-range "$range" lab
archive=/usr/share/reconciler/images/image.tar
[ ! -s "$archive" ] || [ -e "$data/loaded" ] || { docker load -i "$archive" && : > "$data/loaded"; }
