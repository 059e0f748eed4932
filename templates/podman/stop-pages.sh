# stop-pages.sh USERDATA: end the daemon that serves memory pages of a restored container, if it is still there.
[ -s "$1/lazy-pages.pid" ] || exit 0
pid=$(cat "$1/lazy-pages.pid")
if tr '\0' ' ' < "/proc/$pid/cmdline" 2>/dev/null | grep -q "lazy-pages.*$1"; then kill "$pid"; fi
rm -f "$1/lazy-pages.pid" "$1/lazy-pages.socket" "$1/lazy-pages.status"
