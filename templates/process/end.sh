# end.sh HOME [remove]: end what lives of a tree, and its network; with `remove` nothing of it is left.
# shellcheck disable=SC2034,SC2154 # what tree.sh takes and gives
set -eu
home=$1
# include entry
[ "${2-}" != remove ] || entry off
[ -s "$home/id" ] || { [ "${2-}" != remove ] || rm -rf "$home"; exit 0; }
# include tree
net_down
end_tree
drop_net
rmdir "$group" 2>/dev/null || [ ! -d "$group" ]
[ "${2-}" = remove ] || exit 0
[ ! -s "$home/made-to-mount-on" ] || unmade
rm -rf "$home"
