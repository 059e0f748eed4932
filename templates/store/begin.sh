# begin.sh FOLDER: an empty, private folder for a checkpoint that is being taken; what an earlier one left there goes. Says
# how much room there is.
umask 077
folder=$1
parent=${folder%/*}
mkdir -p "$parent" || exit 1
for old in "$parent"/.*.part; do [ ! -e "$old" ] || rm -rf "$old" || exit 1; done
mkdir "$folder" || exit 1
df --output=avail -B1 -- "$folder" | awk 'NR == 2 {print "free", $1}'
