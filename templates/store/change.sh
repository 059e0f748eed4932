# change.sh pin|unpin|remove|tidy FOLDER: of one checkpoint; rehearsed FOLDER WORD: notes that it was. One that is being removed is not listed any more, whatever happens.
umask 077
what=$1 folder=$2
case $what in
pin) [ -e "$folder/manifest.json" ] && : >"$folder/pinned" && sync "$folder" ;;
unpin) rm -f "$folder/pinned" && sync "$folder" ;;
rehearsed)
    [ -e "$folder/manifest.json" ] && printf '%s\n' "$3" >"$folder/.rehearsed.$$" &&
        sync "$folder/.rehearsed.$$" && mv "$folder/.rehearsed.$$" "$folder/rehearsed" && sync "$folder"
    ;;
remove)
    gone=${folder%/*}/.${folder##*/}.part
    [ -d "$folder" ] || [ -d "$gone" ] || exit 0
    [ ! -d "$folder" ] || mv -T "$folder" "$gone" || exit 1
    rm -rf "$gone"
    rmdir --ignore-fail-on-non-empty "${folder%/*}"
    ;;
tidy)
    for part in "${folder%/*}/.${folder##*/}."*part; do rm -rf "$part" || exit 1; done
    [ ! -d "${folder%/*}" ] || rmdir --ignore-fail-on-non-empty "${folder%/*}"
    ;;
esac
