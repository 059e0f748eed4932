# HOME: the folder of tasks, to which memory follows. `serving FILE`: whether the process whose PID is in there does that.
# shellcheck disable=SC2154
serving() { read -r pid <"$1" && tr '\0\n' '  ' <"/proc/$pid/cmdline" | grep -q "lazy-pages.*$home"; } 2>/dev/null
# Of two that would make each other anew (serve.py), each looks for these notes first.
stop_serving() {
    pids=
    for file in "$home/lazy-pages.pid" "$home/keeper.pid"; do ! serving "$file" || pids="$pids $pid"; done
    rm -rf "$home"/lazy-pages.pid "$home"/lazy-pages.socket "$home"/lazy-pages.status "$home"/keeper.* "$home"/pages "$home"/pages.*
    # shellcheck disable=SC2086
    [ -z "$pids" ] || kill $pids
}
