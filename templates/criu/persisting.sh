# HOME: the folder of tasks whose images are kept on disk as well (persist.sh).
# shellcheck disable=SC2154
# Of this boot, or put back from disk since: what else is on disk may not have been written to its end.
images_live() { # FOLDER
    [ -e "$1/first" ] || return 1
    grep -q " $1 " /proc/mounts || [ -e "$1/from-disk" ] || [ "$(cat "$1/boot")" = "$(cat /proc/sys/kernel/random/boot_id)" ]
}
persisting() {
    { read -r pid <"$home/persist.pid" && tr '\0\n' '  ' <"/proc/$pid/cmdline" | grep -q " write $home "; } 2>/dev/null
}
persisted() { grep -qs '^"whole" ' "$home/persisted/sums"; }
tell_persisted() { # `disk BYTES OF`, and `lost BYTES` of what was asked for and never came on disk
    for word in disk lost; do [ ! -s "$home/persist.$word" ] || sed "s/^/$word /" "$home/persist.$word"; done
}
forget_persisted() { # HOME
    home=$1
    ! persisting || kill -9 "$pid" 2>/dev/null
    rm -rf "$home"/persisted "$home"/persist.*
}
