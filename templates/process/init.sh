# init.sh RESTART OUTPUT WORKDIR USER GROUP GROUPS COMMAND...: PID 1 of a tree. It is in the images, so that how the command
# ended is known on any host, and no host needs a process for that.
again=$1 output=$2 workdir=$3 user=$4 group=$5 groups=$6
shift 6
own=/run/reconciler
exec </dev/null >>"$output" 2>&1 || exit 1
cd "$workdir" || exit 1
if [ -n "$user" ]; then
    more=--clear-groups
    [ -z "$groups" ] || more=--groups=$groups
    set -- setpriv --reuid="$user" --regid="$group" "$more" --no-new-privs --inh-caps=-all -- "$@"
fi
trap : TERM INT HUP
: > "$own/running"
while :; do
    "$@"
    status=$?
    echo "$status" > "$own/exit.new" && mv "$own/exit.new" "$own/exit"
    [ ! -e "$own/stop" ] || break
    case $again/$status in always/* | unless-stopped/*) ;; on-failure/0) break ;; on-failure/*) ;; *) break ;; esac
    sleep 1
    [ ! -e "$own/stop" ] || break
done
exit "$status"
