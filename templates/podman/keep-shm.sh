# keep-shm.sh USERDATA COMMAND...: hold a container by this command of the guard's; when that is done, add /dev/shm and the end
# of its log to the images. Podman saves /dev/shm itself, but only after the hook of a held source has ended; and it fills
# holes with zeros when it unpacks them, for which there may be no room.
userdata=$1
shift
own=$userdata/devshm-checkpoint.tar # Podman's, which it leaves
rm -f "$own"
said=$("$@") || { status=$?; printf '%s\n' "$said"; exit "$status"; }
printf '%s\n' "$said"
case $said in *'"outcome":"held"'* | *'"outcome":"exited","status":0,'*) ;; *) exit 0 ;; esac
umask 077
pack() { tar -C "$userdata/shm" "$@" . || exit 3; }
case $said in *'"outcome":"exited"'*) [ ! -f "$own" ] || cp "$own" "$userdata/checkpoint/" || exit 3 ;; esac # it is unmounted
for entry in "$userdata"/shm/* "$userdata"/shm/.[!.]* "$userdata"/shm/..?*; do
    [ -e "$entry" ] || [ -L "$entry" ] || continue
    if find "$userdata/shm" -type f -size +7 -printf '%s %b\n' | awk '$1 - $2 * 512 >= 4096 {found = 1} END {exit !found}'; then
        pack --sparse --hole-detection=seek -cf "$userdata/checkpoint/shm.tar"
    else
        pack -cf "$userdata/checkpoint/devshm-checkpoint.tar"
    fi
    break
done
MOST=1048576 # clients wait
log=$userdata/ctr.log
if [ -f "$log" ] && [ ! -L "$log" ]; then
    : >"$userdata/log-kept"
    if [ "$(stat -c %s "$log")" -le "$MOST" ]; then cat "$log"; else tail -c "$MOST" "$log" | sed 1d; fi >"$userdata/checkpoint/ctr.log" || exit 3
fi
exit 0
