# What is in a folder, itself included: records `CHANGED INODE SIZE MODE OWNER GROUP<tab>KIND PATH`, each ended by a NUL.
export LC_ALL=C
records() { (cd "$1" && find . -printf '%C@ %i %s %m %U %G\t%y %p\0' | sort -z); }
kinds() { sed -z 's/^[^\t]*\t//'; }
names() { sed -z 's/^[^\t]*\t..//'; }
archive() { # FOLDER OPTION...: a tar of what the options name, with all that its files have
    from=$1
    shift
    tar --create --file=- --format=posix --blocking-factor=128 --numeric-owner --sparse --hole-detection=seek \
        --acls --xattrs --xattrs-include='*' --xattrs-exclude=security.selinux --directory="$from" "$@"
}
