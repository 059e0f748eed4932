# change.sh pin|unpin|remove|tidy FOLDER: of one checkpoint; drop PART: one half; rehearsed FOLDER WORD: notes that it was. One that is being removed is not listed any more, whatever happens.
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
    part=${folder%/*}/.${folder##*/}.part gone=${folder%/*}/.${folder##*/}.gone.part
    [ -d "$folder" ] || [ -d "$gone" ] || [ -d "$part" ] || exit 0
    rm -rf "$gone" "$part" || exit 1
    [ ! -d "$folder" ] || mv -T "$folder" "$gone" || exit 1
    rm -rf "$gone"
    rmdir --ignore-fail-on-non-empty "${folder%/*}"
    ;;
drop)
    rm -rf "$folder" || exit 1
    [ ! -d "${folder%/*}" ] || rmdir --ignore-fail-on-non-empty "${folder%/*}"
    ;;
tidy) # those of its own run; a copy of it has other names
    own=${folder%/*}/.${folder##*/}
    for part in "$own.part" "$own."[0-9]*.part; do rm -rf "$part" || exit 1; done
    [ ! -d "${folder%/*}" ] || rmdir --ignore-fail-on-non-empty "${folder%/*}"
    ;;
esac
