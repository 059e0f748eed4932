# held.sh HOME STATE COMMAND...: hold a container by this command of the guard's; when that is done, add to the images what the
# OCI runtime needs to know at a restore: which of its first descriptors are pipes of the engine's. STATE: the file of runc that says so.
home=$1 state=$2
shift 2
state=$(cat "$state" 2>/dev/null)
said=$("$@") || { status=$?; printf '%s\n' "$said"; exit "$status"; }
printf '%s\n' "$said"
case $said in *'"outcome":"held"'* | *'"outcome":"exited","status":0,'*) ;; *) exit 0 ;; esac
[ ! -s "$home/checkpoint/descriptors.json" ] || exit 0 # held before
umask 077
printf '%s' "$state" | sed -n 's/.*"external_descriptors":\(\[\("[^"]*",*\)*\]\).*/\1/p' >"$home/checkpoint/descriptors.json"
[ -s "$home/checkpoint/descriptors.json" ] || { echo 'runc does not say which descriptors the container began with' >&2; exit 3; }
