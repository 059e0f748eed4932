# restore.sh HOME LIMIT ID CGROUP METHOD REQUEST: let containerd restore a container from the images in HOME, of which CRIU's config knows.
# What it was made from is an archive of next to nothing; which descriptors its program began with is put there now.
# shellcheck disable=SC2034 # call.sh's and card.sh's
home=$1 limit=$2 id=$3 cgroup=$4
# include call
# include card
# include criu/living
read -r pid net root <"$home/pod" || exit
rm -f "$home/restore.log" "$home/fenced" # the guard, under whose lock this runs, says that it is not
folder=$root/containers/$id/ctrd-restore/checkpoint
[ -d "$folder" ] || folder=$root/containers/$id/checkpoint # of releases before 2.1.9
cp "$home/checkpoint/descriptors.json" "$folder/" || exit
[ ! -e "$home/routes" ] || raise "$home/routes" || { echo 'the card of its pod does not come up' >&2; exit 1; }
said=$(call 0 "$5" "$6")
status=$?
if [ "$status" != 0 ]; then
    [ -n "$(living "$cgroup" '')" ] || lower "$net" # nobody is there: it would tell the clients so
    printf '%s\n' "$said" | sed -n 3p >&2
    exit "$status"
fi
# Without it a program was started that nobody has restored.
[ -e "$home/restored.pid" ] || { echo 'containerd has restored nothing' >&2; exit 1; }
