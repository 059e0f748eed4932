# maps.sh USERDATA: CRIU's maps of memory pages, of the dump and of all rounds before it. Lines of path and base64.
cd "$1" || exit 1
for file in checkpoint/pagemap-[0-9]*.img precopy/[0-9]*/pagemap-[0-9]*.img; do
    [ ! -f "$file" ] || echo "$file $(base64 -w 0 "$file")"
done
