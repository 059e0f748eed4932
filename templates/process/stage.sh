# stage.sh HOME: make what a restore needs beside its images; nothing runs, and nothing answers for its addresses.
# shellcheck disable=SC2034,SC2154 # what tree.sh takes and gives
set -eu
home=$1
# include tree
make_group
make_net down
