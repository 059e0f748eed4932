# restore.sh USERDATA CONTAINER OPTION...: let Podman restore a container from its images.
userdata=$1 name=$2
shift 2
shm=$userdata/checkpoint/devshm-checkpoint.tar
[ ! -e "$shm" ] || cp "$shm" "$userdata/" || exit 1
exec podman container restore "$@" -- "$name"
