# take.sh PART NUMBER... < TAR: what others have taken becomes what pack.sh makes the files of a checkpoint from. TAR: `images/`,
# `1.tar` and so on for each of these trees, and `1.deleted`, a line for each file of the image that is gone. Says `made tree/FOLDER`
# where what is gone was in a folder that only the image has: nobody knows its rights here. Exit 4: it is not taken.
umask 077
# include listing
part=$1
shift
refuse() { echo "$*" >&2; exit 4; }
mkdir "$part/in" && tar --extract --file=- --no-same-owner --directory="$part/in" || exit 1
cd "$part" || exit 1
: >trees
for number; do
    mkdir tree || exit 1
    top=0 # whether the tree says what its own folder is like; else that stays as it will be found
    if [ -e "in/$number.tar" ]; then
        ! tar --list --file="in/$number.tar" | grep -qx './' || top=1
        tar --extract --file="in/$number.tar" --numeric-owner --same-owner --preserve-permissions --delay-directory-restore \
            --acls --xattrs --xattrs-include='user.*' --xattrs-include=security.capability --directory=tree || exit 1
        rm "in/$number.tar"
    fi
    [ -z "$(find tree \( -type b -o -type c \) -print -quit)" ] || refuse "it holds devices"
    here=$(realpath tree) || exit 1
    [ -e "in/$number.deleted" ] || : >"in/$number.deleted"
    while IFS= read -r gone; do
        folder=$(dirname -- "tree/$gone")
        if [ ! -d "$folder" ]; then
            case $(realpath -m -- "$folder")/ in "$here"/*) ;; *) refuse "$gone leads out of it" ;; esac
            (umask 022 && mkdir -p -- "$folder") || exit 1
            echo "made $folder"
        fi
        parent=$(realpath -e -- "$folder") || exit 1
        case $parent/ in "$here"/*) ;; *) refuse "$gone leads out of it" ;; esac
        [ -e "tree/$gone" ] || [ -L "tree/$gone" ] || mknod "tree/$gone" c 0 0 || exit 1
    done <"in/$number.deleted"
    records tree >now && kinds <now | sort -z >"$number.names" && rm now || exit 1
    (cd tree && if [ "$top" = 1 ]; then find . -print0; else find . -mindepth 1 -print0; fi) >list || exit 1
    archive tree --no-recursion --null --files-from="$part/list" >"$number.base.tar" && tar --create --file="$number.delta.tar" --files-from=/dev/null || exit 1
    rm -rf tree list || exit 1
    echo "$number" >>trees
done
