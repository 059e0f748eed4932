# What is in a folder, itself included: records `CHANGED INODE SIZE MODE OWNER GROUP<tab>KIND PATH`, each ended by a NUL.
export LC_ALL=C
records() { (cd "$1" && find . -printf '%C@ %i %s %m %U %G\t%y %p\0' | sort -z); }
kinds() { sed -z 's/^[^\t]*\t//'; }
names() { sed -z 's/^[^\t]*\t..//'; }
# A name that can be archived and not be laid out again: Linux takes paths of 4,095 bytes at once, tar some less.
none_too_long() { # FOLDER; stdin: its names as `kinds` has them
    long=$(tr '\n\0' ' \n' | awk 'length > 4066 {print length - 2, "bytes, it begins with", substr($0, 3, 80); exit}')
    [ -z "$long" ] || { echo "a path in $1 is too long to be restored (4064 bytes can be): $long" >&2; return 1; }
}
archive() { # FOLDER OPTION...: a tar of what the options name, with all that its files have
    from=$1
    shift
    tar --create --file=- --format=posix --blocking-factor=128 --numeric-owner --sparse --hole-detection=seek \
        --acls --xattrs --xattrs-include='*' --xattrs-exclude=security.selinux --directory="$from" "$@"
}
