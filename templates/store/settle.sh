# settle.sh FOLDER...: wait until nobody lays out files of a checkpoint there any more (unpack.sh), ten minutes at most for each.
for target; do
    [ ! -d "$target" ] || (exec 9<"$target" && flock -w 600 9) || { echo "files are still laid out in $target" >&2; exit 1; }
done
