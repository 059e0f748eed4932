# restore.sh USERDATA CONTAINER CONFIG OPTION...: let Podman restore a container from its images. CONFIG: CRIU's.
userdata=$1 name=$2 config=$3
shift 3
shm=$userdata/checkpoint/devshm-checkpoint.tar
[ ! -e "$shm" ] || cp "$shm" "$userdata/" || exit 1
# The log goes on where it was; what the engine has said of the container's making here is no part of it.
log=$userdata/checkpoint/ctr.log
if [ -f "$log" ] && [ -f "$userdata/ctr.log" ] && [ ! -e "$userdata/log-kept" ]; then cat "$log" >"$userdata/ctr.log"; fi
# Secrets as the container has known them, which may be open: it was made here with those of today.
for one in "$userdata/checkpoint/state/secrets"/*; do
    here=$userdata/secrets/${one##*/}
    [ -f "$one" ] && [ -f "$here" ] && [ ! -L "$here" ] || continue
    cmp -s "$one" "$here" || cat "$one" >"$here" || exit 1
    touch -r "$one" "$here"
done
podman container restore "$@" -- "$name" || exit
# A crun before 1.26 does not read CRIU's config, and so has CRIU run no script of ours.
[ ! -e "$userdata/restored.pid" ] || exit 0
pid=$(podman container inspect --format '{{.State.Pid}}' -- "$name") || exit
script=$(sed -n 's/^action-script //p' "$config")
CRTOOLS_IMAGE_DIR=$userdata/checkpoint CRTOOLS_INIT_PID=$pid CRTOOLS_SCRIPT_ACTION=late /bin/sh "$script"
