#!/bin/sh
# containerd.sh SUBNET GATEWAY RANGE: configure and start containerd on a lab host, without systemd, and wait until it answers.
# Its data is not on the host's overlay, which cannot be stacked. Images are loaded from archives: no registry.
set -eu
subnet=$1 gateway=$2 range=${3%/*}
first=${range%.*}.$((${range##*.} + 1)) last=${range%.*}.$((${range##*.} + 14)) # of its 16 addresses
data=/var/lib/containers/containerd
mkdir -p /etc/containerd /etc/cni/net.d /run/lab "$data"
cat > /etc/containerd/config.toml <<C
version = 3
root = "$data"
state = "/run/containerd"
[plugins."io.containerd.cri.v1.images"]
  snapshotter = "overlayfs"
[plugins."io.containerd.cri.v1.images".pinned_images]
  sandbox = "localhost/pause:1"
[plugins."io.containerd.cri.v1.runtime"]
  enable_cdi = false
  disable_apparmor = true
  restrict_oom_score_adj = true
  [plugins."io.containerd.cri.v1.runtime".cni]
    bin_dirs = ["/usr/lib/cni"]
    conf_dir = "/etc/cni/net.d"
  [plugins."io.containerd.cri.v1.runtime".containerd]
    default_runtime_name = "runc"
    [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      container_annotations = ["org.criu.config"]
      [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
        SystemdCgroup = false
        BinaryName = "/run/lab/runc"
C
cat > /etc/cni/net.d/10-lab.conflist <<C
{"cniVersion": "1.0.0", "name": "lab", "plugins": [
  {"type": "macvlan", "master": "e0", "mode": "bridge",
   "ipam": {"type": "host-local", "dataDir": "/run/lab/cni", "ranges": [[
     {"subnet": "$subnet", "rangeStart": "$first", "rangeEnd": "$last", "gateway": "$gateway"}]],
     "routes": [{"dst": "0.0.0.0/0"}]}}]}
C
# The lab's control groups have no controllers on machines whose kernel binds those to version 1, and CRI asks for shares
# of the CPU in any case. Groups and their freezer are as everywhere.
cat > /run/lab/runc <<'C'
#!/usr/bin/python3
import json, os, sys
words = sys.argv[1:]
if {"create", "restore", "run"} & set(words) and "--bundle" in words:
    controllers = open("/sys/fs/cgroup/cgroup.controllers").read().split()
    file = words[words.index("--bundle") + 1] + "/config.json"
    with open(file) as config:
        spec = json.load(config)
    for name in {"cpu", "memory", "pids", "hugetlbLimits", "blockIO"}:
        kind = {"hugetlbLimits": "hugetlb", "blockIO": "io"}.get(name, name)
        if kind not in controllers:
            spec.get("linux", {}).get("resources", {}).pop(name, None)
    with open(file, "w") as config:
        json.dump(spec, config)
os.execv("/usr/sbin/runc", ["runc", *words])
C
chmod 755 /run/lab/runc
setsid --fork containerd </dev/null >>/var/log/containerd.log 2>&1
tries=0
until ctr version >/dev/null 2>&1; do
    tries=$((tries + 1))
    [ "$tries" -lt 600 ] || { echo "containerd does not answer" >&2; tail /var/log/containerd.log >&2; exit 1; }
    sleep 0.1
done
for archive in /usr/share/reconciler/images/*.tar; do
    done=$data/loaded-$(basename "$archive")
    [ ! -s "$archive" ] || [ -e "$done" ] || { ctr -n k8s.io images import "$archive" >/dev/null && : > "$done"; }
done
