# config.sh ID: where the OCI config of a running container is.
for root in /run/docker/containerd/daemon /run/containerd; do
    file=$root/io.containerd.runtime.v2.task/moby/$1/config.json
    [ ! -s "$file" ] || { printf '%s\n' "$file"; exit 0; }
done
echo 'its OCI config is not where containerd keeps it' >&2
exit 1
