# named PID NAME: where this host has the file of that name which an engine made for the container whose folder is `home`, and
# mounted there, or is about to: CRIU puts mounts into their places last. Nothing for one of the host's own.
named() {
    # shellcheck disable=SC2154
    at=$(awk -v tail="${home#"${home%/*/*}"}/$2" '
        FILENAME == ARGV[1] {if (length($4) > length(tail) && substr($4, 1 + length($4) - length(tail)) == tail) {device = $3; root = $4} next}
        $3 == device {
            top = $4 == "/" ? "" : $4
            if (index(root, top "/") == 1 && length(top) >= most) {
                most = length(top)
                at = ($5 == "/" ? "" : $5) substr(root, most + 1)
            }
        }
        END {print at}' "/proc/$1/mountinfo" /proc/self/mountinfo)
    [ -f "$at" ] && [ ! -L "$at" ] && echo "$at"
}
