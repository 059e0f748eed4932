# tag.sh ID NAME: know an image by a name, and wait until CRI does, at most 5 seconds.
ctr -n k8s.io images tag "$1" "$2" >/dev/null || exit
tries=0
until ctr -n k8s.io images ls "name==$2" | grep -q 'io.cri-containerd.image=managed' || [ "$tries" -ge 50 ]; do
    tries=$((tries + 1))
    sleep 0.1
done
