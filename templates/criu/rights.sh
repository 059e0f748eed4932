# rights PID...: of each process what it may do, in a line that begins with the number it has inside; before that, how
# users are mapped.
rights() {
    [ $# -gt 0 ] || return 0
    read -r inside outside count <"/proc/$1/uid_map" && echo "map $inside $outside $count"
    files=
    for pid; do files="$files /proc/$pid/status"; done
    # shellcheck disable=SC2086
    awk '
        FNR == 1 {said = ""}
        /^(Uid|Gid|Groups|Cap...|NoNewPrivs|Seccomp):/ {gsub(/[ \t]+/, " "); sub(/ $/, ""); said = said "; " $0}
        /^NSpid:/ {inside = $NF}
        /^Seccomp:/ {print inside said}' $files
} 2>/dev/null
