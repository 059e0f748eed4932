# drain.sh USERDATA SECONDS: wait until all memory pages have arrived, so that images are not needed any more.
userdata=$1 left=$(($2 * 20))
[ -s "$userdata/lazy-pages.pid" ] || exit 0
pid=$(cat "$userdata/lazy-pages.pid")
while [ -d "/proc/$pid" ] && tr '\0' ' ' < "/proc/$pid/cmdline" 2>/dev/null | grep -q "lazy-pages.*$userdata"; do
    left=$((left - 1))
    [ "$left" -gt 0 ] || { echo 'memory pages are still on their way' >&2; exit 1; }
    sleep 0.05
done
rm -f "$userdata/lazy-pages.pid" "$userdata/lazy-pages.socket"
