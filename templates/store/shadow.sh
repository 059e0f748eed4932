# shadow.sh FOLDER [CONFIG]: while a workload runs, archive those of its folders that stdin names, a path on each line: the
# first becomes FOLDER/1.base.tar, and so on. What changes from here on is for capture.sh, which looks into FOLDER/trees.
# CONFIG, that of its OCI runtime, is kept for those who read checkpoints.
# Exit 5: a name in one of them is too long.
# What is written through a mapping is seen by the time of its file only once its pages were clean, hence the sync.
umask 077
# include listing
folder=$1
cd "$folder" || exit 1
: >trees
[ -z "${2:-}" ] || cp -- "$2" oci.json || exit 1
touch -d '2 seconds ago' since || exit 1
number=0
while IFS= read -r path; do
    number=$((number + 1))
    printf '%s\n' "$path" >>trees
    sync -f -- "$path" || exit 1
    records "$path" >"$number.was"
    kinds <"$number.was" | none_too_long "$path" || exit 5
    # Exit 1: something changed, or went away, while it was read.
    archive "$path" . >"$number.base.tar" || [ $? = 1 ] || exit 1
done
