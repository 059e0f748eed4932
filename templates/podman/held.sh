# held.sh USERDATA: after a dump: add /dev/shm to the images, then say how large they are and how long it took.
# Podman saves /dev/shm itself, but only after the hook of a held source has ended.
userdata=$1
umask 077
if [ -n "$(ls -A "$userdata/shm" 2>/dev/null)" ]; then
    tar -C "$userdata/shm" -cf "$userdata/checkpoint/devshm-checkpoint.tar" . || exit 1
fi
[ -s "$userdata/checkpoint/inventory.img" ] || { echo "no complete dump in $userdata/checkpoint" >&2; exit 1; }
# CRIU saves a periodic timerfd that has expired and was not read yet as one that never expires (its issue 3162).
if grep -E 'Dumping id .* it_value\(0, 0\) it_interval\(' "$userdata/dump.log" 2>/dev/null | grep -qv 'it_interval(0, 0)'; then
    echo 'a periodic timer (timerfd) expired while it was frozen, and CRIU would not start it again' >&2
    exit 1
fi
echo "bytes $(du -sb "$userdata/checkpoint" | cut -f1)"
awk -F'[()]' '/[Ss]eized|freezing|frozen/ && !first {first = $2} {last = $2} END {printf "freeze_us %d\n", (last - first) * 1000000}' \
    "$userdata/dump.log" 2>/dev/null
