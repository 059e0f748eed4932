# arrive.sh LIMIT FILE REFERENCE IMAGE TYPE SIZE SERVER < LINE ARCHIVE: one call of CRI (a line: METHOD REQUEST) that makes a
# container from an archive, which follows it and is in FILE meanwhile. containerd before 2.2 asks a registry for the image that it was made of, though it has all
# of it. REFERENCE: what it asks for then, ADDRESS:PORT/NAME@DIGEST at this host alone; SERVER (known.pl) answers that this is
# there, of that TYPE and SIZE. IMAGE: how it is known. An empty REFERENCE: nobody asks.
limit=$1 file=$2 reference=$3 image=$4 type=$5 size=$6 program=$7
# include call
server=
# shellcheck disable=SC2154 # tmp is call.sh's
left() {
    rm -rf "$tmp" "$file"
    [ -z "$server" ] || kill "$server" 2>/dev/null
    [ -z "$reference" ] || ctr -n k8s.io images rm "$reference"
} >/dev/null 2>&1
trap left EXIT
read -r method request || exit
cat >"$file" || exit
if [ -n "$reference" ]; then
    exec 8>>/run/reconciler-cri.lock && flock -w "$limit" 8 || { echo 'another pod is being made from an archive' >&2; exit 1; }
    ctr -n k8s.io images tag --force "$image" "$reference" >/dev/null || exit
    perl -e "$program" "${reference%%/*}" "${reference##*@}" "$type" "$size" "$limit" >"$tmp/server" 2>&1 8>&- &
    server=$!
    tries=0
    until [ -s "$tmp/server" ] && ctr -n k8s.io images ls "name==$reference" | grep -q 'io.cri-containerd.image=managed'; do
        tries=$((tries + 1))
        [ "$tries" -lt 100 ] || { cat "$tmp/server" >&2; echo 'CRI does not see the image' >&2; exit 1; }
        sleep 0.05
    done
fi
call 0 "$method" "$request"
printf '\n@@ end\n'
