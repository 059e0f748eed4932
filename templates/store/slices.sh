# slices.sh FOLDER < LINES: parts of a checkpoint's memory, each asked for as `FILE OFFSET LENGTH`; for each a line of base64.
umask 077
# include reading
folder=$1
tmp=$(mktemp -d "$folder/.slices.XXXXXX") || exit 1 # pages may be many, and /tmp be memory
trap 'rm -rf "$tmp"' EXIT
trap 'exit 143' TERM HUP INT
cat >"$tmp/asked"
awk '{print "./" $1}' "$tmp/asked" | sort -u >"$tmp/wanted"
mkdir "$tmp/pages" && whole images.tar extract "$tmp/pages" --files-from="$tmp/wanted" || exit 1
while read -r file offset length; do
    tail -c "+$((offset + 1))" -- "$tmp/pages/$file" | head -c "$length" | base64 -w 0
    echo
done <"$tmp/asked"
