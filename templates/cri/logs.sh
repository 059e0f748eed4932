# logs.sh FOLDER TAIL FOLLOW STAMPS SINCE: what a pod's container has printed, without CRI's own words (time, stream and P for part
# of a line). FOLDER: a pattern; of several the newest counts. TAIL: lines; empty: all. SINCE: only from this time on.
# shellcheck disable=SC2012,SC2086 # it is a pattern, of names without spaces
folder=$(ls -d1t $1 2>/dev/null | head -n 1)
[ -n "$folder" ] && [ -r "$folder/0.log" ] || { echo 'there is no log of it here' >&2; exit 1; }
since=
if [ -n "${5-}" ]; then
    since=$(date -u -d "$5" +%Y-%m-%dT%H:%M:%S 2>/dev/null) || since=$(date -u -d "-$5" +%Y-%m-%dT%H:%M:%S 2>/dev/null) ||
        { echo "$5 is no time" >&2; exit 2; }
fi
show() {
    awk -v stamps="$4" -v since="$since" '{
        time = $1; part = $3; line = substr($0, length($1) + length($2) + length($3) + 4)
        if (since != "" && time < since) next
        printf "%s%s%s", (stamps != "" && !inside) ? time " " : "", line, part == "P" ? "" : "\n"
        inside = part == "P"
        fflush()
    }'
}
if [ -n "$3" ]; then tail -n "${2:-+1}" -F "$folder/0.log" | show "$@"; else tail -n "${2:-+1}" "$folder/0.log" | show "$@"; fi
