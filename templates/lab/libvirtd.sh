#!/bin/sh
# libvirtd.sh ADDRESS: configure and start libvirtd on a lab host, without systemd, and wait until it answers.
# Hosts share this machine's SMBIOS, so each needs a host_uuid of its own: libvirt refuses to migrate to itself.
set -eu
address=$1
mkdir -p /run/libvirt /var/lib/containers/libvirt
uuid=$(sed 's/^\(.\{8\}\)\(.\{4\}\)\(.\{4\}\)\(.\{4\}\)/\1-\2-\3-\4-/' /etc/machine-id)
cat > /etc/libvirt/libvirtd.conf <<C
listen_tls = 0
listen_tcp = 1
listen_addr = "$address"
auth_tcp = "none"
auth_unix_rw = "none"
auth_unix_ro = "none"
host_uuid = "$uuid"
log_outputs = "2:file:/var/log/libvirtd.log"
C
cat > /etc/libvirt/qemu.conf <<'C'
security_driver = "none"
user = "root"
group = "root"
dynamic_ownership = 0
remember_owner = 0
cgroup_controllers = []
namespaces = []
stdio_handler = "file"
C
rm -f /run/libvirtd.pid
libvirtd -d -l
tries=0
until virsh -q -c qemu:///system list >/dev/null 2>&1; do
    tries=$((tries + 1))
    [ "$tries" -lt 300 ] || { echo "libvirtd does not answer" >&2; tail /var/log/libvirtd.log >&2; exit 1; }
    sleep 0.1
done
