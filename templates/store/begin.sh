# begin.sh FOLDER: an empty, private folder for a checkpoint that is being taken or copied. What an earlier try of the same run
# left goes, and what nobody has written to for a day; others may be at work beside it. Says how much room there is.
umask 077
folder=$1
parent=${folder%/*}
name=${folder##*/.}
id=${name%%.*}
rm -rf "$folder" || exit 1
case $name in
"$id".by-*) ;;
*) for old in "$parent/.$id.part" "$parent/.$id."[0-9]*.part; do rm -rf "$old" || exit 1; done ;;
esac
for old in "$parent"/.*.part; do
    # By the time of its inode: files that are copied have the times of the ones they are copies of.
    [ ! -d "$old" ] || [ -n "$(find "$old" -cmin -1440 -print -quit)" ] || rm -rf "$old" || exit 1
done
mkdir -p "$folder" || exit 1
df --output=avail -B1 -- "$folder" | awk 'NR == 2 {print "free", $1}'
