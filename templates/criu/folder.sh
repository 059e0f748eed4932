# folder.sh own|take|drop PATH WORKLOAD RUN [UNDONE]: a folder of the host that goes along with a workload. Who it belongs
# to stands beside the markers, with the folder's inode, so that another one that was put in its place is nobody's.
# own: on the source, before the move. take: on the destination, an empty one; UNDONE is the run of a hand-over that was
# put back, whose files here are void. drop: what own or take of this run has claimed goes. All may be repeated.
export LC_ALL=C
umask 022
path=$2 workload=$3 run=$4 undone=$5
notes=/var/lib/reconciler/folders
note=$notes/$(printf %s "$path" | sha256sum | cut -c1-32)
owner='' by='' inode=''
[ ! -r "$note" ] || read -r owner by inode _ <"$note"
refuse() { echo "$path $1" >&2; exit 3; }
is() { stat -c %d:%i -- "$path"; }
write() {
    (umask 077 && mkdir -p "$notes" && printf '%s %s %s %s\n' "$workload" "$run" "$(is)" "$path" >"$note.new") &&
        sync "$note.new" && mv -f "$note.new" "$note"
}
# Never over a mount: neither the folder's own nor one below it.
mounted() { awk -v p="$path" '$5 == p || index($5, p "/") == 1 {found = 1} END {exit !found}' /proc/self/mountinfo; }
clear() {
    ! mounted || refuse "has something mounted on or below it"
    find "$path" -xdev -mindepth 1 -delete
}

[ ! -L "$path" ] || refuse "is a link; name the folder it leads to"
[ ! -e "$path" ] || [ -d "$path" ] || refuse "is no folder: only folders move"
[ -z "$owner" ] || [ "$owner" = "$workload" ] || [ ! -d "$path" ] || [ "$(is)" != "$inode" ] ||
    refuse "belongs to the workload $owner"
case $1 in
own)
    [ -d "$path" ] || refuse "is not there"
    write
    ;;
take)
    if [ -d "$path" ] && [ "$owner" = "$workload" ] && [ "$(is)" = "$inode" ]; then
        [ "$by" != "$run" ] || exit 0
        if [ -n "$undone" ] && [ "$by" = "$undone" ]; then clear || exit; fi
    fi
    [ ! -d "$path" ] || [ -z "$(ls -A -- "$path")" ] || refuse "has files already"
    ! mounted || refuse "has something mounted on or below it"
    mkdir -p -- "$path" && write
    ;;
drop)
    [ "$owner" = "$workload" ] && [ "$by" = "$run" ] || exit 0
    if [ -d "$path" ] && [ "$(is)" = "$inode" ]; then
        clear || exit
        rmdir -- "$path" || exit
    fi
    rm -f "$note"
    ;;
esac
