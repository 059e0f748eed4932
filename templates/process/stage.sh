# stage.sh HOME PATH...: make what a restore needs beside its images; nothing runs, and nothing answers for its addresses.
# PATH: a file that it brings, to be mounted there. An empty one is made where its host has none.
# shellcheck disable=SC2034,SC2154 # what tree.sh takes and gives
set -eu
home=$1
shift
# include tree
make_group
make_net down
[ $# = 0 ] || mkdir -p "$home/carried"
for path; do
    [ ! -e "$path" ] || continue
    echo "$path" >> "$home/made-to-mount-on"
    mkdir -p "${path%/*}"
    : > "$path"
done
