# rename.sh HOME OTHER: give a tree that does not run another name.
mv -T -- "$1" "$2" && sync -f "${2%/*}"
