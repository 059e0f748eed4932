# maps.sh HOME: CRIU's maps of memory pages, of the dump and of all rounds before it, and its lists of mappings of
# processes none of whose pages it has marked as lazy. Lines of path and base64.
cd "$1" 2>/dev/null || { echo "there is no folder $1: was it removed?" >&2; exit 1; }
for file in checkpoint/pagemap-[0-9]*.img precopy/[0-9]*/pagemap-[0-9]*.img; do
    [ ! -f "$file" ] || echo "$file $(base64 -w 0 "$file")"
done
first=precopy/1
[ -d "$first" ] || first=checkpoint
for file in $(LC_ALL=C grep -LF "$(printf ' \006')" "$first"/pagemap-[0-9]*.img); do # field 4 is 6: present and lazy
    file=checkpoint/mm-${file##*/pagemap-}
    [ ! -f "$file" ] || echo "$file $(base64 -w 0 "$file")"
done
