# pre-dump.sh USERDATA NUMBER RUNTIME CONTAINER: write down what a running container has in memory: all of it in round 1,
# later what changed since the round before. Says how many bytes that is.
userdata=$1 number=$2 runtime=$3 name=$4
umask 077
rounds=$userdata/precopy
here=$rounds/$number
rm -rf "$here" "$here.status" || exit 1
set -- "$runtime" checkpoint --pre-dump --image-path "$here" --work-path "$rounds"
[ "$number" = 1 ] || set -- "$@" --parent-path "../$((number - 1))"
# In a session of its own: CRIU must not be killed while its code runs inside the container's processes.
setsid /bin/sh -c 'status=$1; shift; "$@" >"$status.out" 2>&1 </dev/null; echo $? >"$status"' sh "$here.status" "$@" "$name" &
wait $!
read -r ended <"$here.status" || exit 1
if [ "$ended" != 0 ]; then
    tail -n 3 "$here.status.out" >&2
    exit "$ended"
fi
echo "bytes $(du -sb "$here" | cut -f1)"
