# rename.sh HOME OTHER: give a tree that does not run another name.
# shellcheck disable=SC2034 # home is what entry.sh takes
set -eu
home=$2
# include entry
if [ -d "$1/boot" ]; then entry on; fi
mv -T -- "$1" "$2" && sync -f "${2%/*}"
