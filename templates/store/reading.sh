# Reading the files of a checkpoint in $folder; $tmp is a folder of the script's own.
# shellcheck disable=SC2154 # whoever includes it sets them
export LC_ALL=C
raw() { # FILE
    if [ -e "$folder/$1.zst" ]; then zstd -q -d -c "$folder/$1.zst"; else cat "$folder/$1"; fi
}
whole() { # FILE COMMAND...: give it to a command; fails also when the first half of the pipe does
    of=$1
    shift
    { raw "$of" || : >"$tmp/failed"; } | "$@" && [ ! -e "$tmp/failed" ]
}
extract() { # FOLDER OPTION...
    into=$1
    shift
    tar --extract --file=- --blocking-factor=128 --numeric-owner --same-owner --preserve-permissions \
        --delay-directory-restore --acls --xattrs --xattrs-include='*' --xattrs-exclude=security.selinux \
        --directory="$into" "$@"
}
tree() { # NUMBER FOLDER: a tree as it was, in an empty folder
    whole "$1.base.tar" extract "$2" || return 1
    raw "$1.names" >"$tmp/names" && [ -s "$tmp/names" ] || return 1
    (cd "$2" && find . -printf '%y %p\0' | sort -z | comm -z -23 - "$tmp/names" | sed -z 's/^..//' | xargs -0 -r rm -rf --) || return 1
    whole "$1.delta.tar" extract "$2"
}
