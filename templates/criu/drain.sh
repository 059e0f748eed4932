# drain.sh HOME SECONDS: wait until all memory pages have arrived, so that images are not needed any more.
# Exit 1: they are still on their way; a page server says how many bytes are missing. Exit 3: what serves them has
# failed, and what has not arrived is lost.
home=$1 left=$(($2 * 20))
# include serving
[ -s "$home/lazy-pages.pid" ] || exit 0
# A page server that is killed is made anew by its keeper, and the keeper by it (serve.py); CRIU's daemon is not.
goes_on() {
    serving "$home/lazy-pages.pid" || { [ -S "$home/pages.socket" ] && serving "$home/keeper.pid"; }
}
tries=0
until [ -s "$home/lazy-pages.status" ] || [ "$tries" -ge 40 ]; do
    if goes_on; then tries=0; else tries=$((tries + 1)); fi
    left=$((left - 1))
    if [ "$left" -le 0 ]; then
        [ ! -s "$home/pages.left" ] || cat "$home/pages.left"
        echo 'memory pages are still on their way' >&2
        exit 1
    fi
    sleep 0.05
done
status=$(cat "$home/lazy-pages.status" 2>/dev/null)
if [ "$status" != 0 ]; then
    echo "what serves memory pages ended with status ${status:-unknown} before all had arrived" >&2
    tail -q -n 3 "$home/lazy-pages.log" "$home/pages.log" >&2 2>/dev/null
    exit 3
fi
rm -rf "$home"/lazy-pages.pid "$home"/lazy-pages.socket "$home"/lazy-pages.status "$home"/keeper.* "$home"/pages "$home"/pages.*
