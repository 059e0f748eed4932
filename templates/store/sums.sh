# sums.sh FOLDER FILE...: what is in the files of a checkpoint now: lines `FILE BYTES SHA256`, or `FILE missing`.
cd "$1" || exit 1
shift
for file; do
    if sum=$(sha256sum <"$file") 2>/dev/null; then echo "$file $(stat -c %s -- "$file") ${sum%% *}"; else echo "$file missing"; fi
done
