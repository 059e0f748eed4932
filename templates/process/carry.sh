# carry.sh HOME PATH...: copies of files of this host that its tree has mapped, to go along. In the tree each is a mount
# of its own from now on, so that CRIU can be told to put another one there where it goes.
# shellcheck disable=SC2034,SC2154 # what tree.sh takes and gives
set -eu
home=$1
shift
# include tree
pid=$(first)
[ -n "$pid" ] || { echo 'it does not run' >&2; exit 1; }
mkdir -p "$home/carried"
for path; do
    copy=$home/carried/$(printf %s "$path" | sha256sum | cut -c 1-16)
    if ! carried | grep -qxF "${copy##*/}$tab$path"; then
        cp -p -- "$path" "$copy.new"
        mv -f -- "$copy.new" "$copy"
        printf '%s\t%s\n' "${copy##*/}" "$path" >> "$home/carried/list"
        sync -f "$home/carried"
    fi
    cut -d ' ' -f 5 "/proc/$pid/mountinfo" | grep -qxF -- "$path" || nsenter --mount="/proc/$pid/ns/mnt" -- mount --bind "$path" "$path"
done
