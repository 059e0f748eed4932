# shared.sh write|read|remove PATH WORKLOAD TOKEN: is a folder that two hosts mount one and the same? One host writes TOKEN into a
# file in it and says the file's inode number, the other waits until it reads that there, with its number. Programs that
# know a file by its number, as SQLite does, need that to be the same, too.
export LC_ALL=C
umask 077
what=$1 path=$2 token=$4
file=$path/.reconciler-$3
case $what in
write)
    [ -d "$path" ] || { echo "$path is no folder there" >&2; exit 3; }
    rm -f -- "$file"
    # Never through a link that somebody else has put there.
    (set -C && printf '%s\n' "$token" >"$file") && sync -- "$file" && stat -c %i -- "$file"
    ;;
read)
    tries=0
    until [ -f "$file" ] && [ ! -L "$file" ] && read -r found <"$file" && [ "$found" = "$token" ]; do
        tries=$((tries + 1))
        [ "$tries" -le 20 ] || exit 4 # caches of network file systems end by then
        sleep 0.25
        ls -a -- "$path" >/dev/null
    done
    stat -c %i -- "$file"
    ;;
remove)
    { [ -f "$file" ] && read -r found <"$file" && [ "$found" = "$token" ]; } || exit 0
    rm -f -- "$file"
    ;;
esac
