# Sums that both ends of a copy make and the controller compares (CRC-32: against tampering SSH's own authentication
# stands). No program of its own: this text stands in transfer-send.sh and transfer-receive.sh.
#
# Pages of memory, which are most of a move, are read from their files: the same through a pipe takes six times as much of
# the processors. The sender sums whole files when the dump is complete, whenever it has sent: bytes that changed since
# then show. The receiver sums pieces as they come, for only the last one is waited for; the controller joins them.
# shellcheck disable=SC2030,SC2031  # the locale is to change in each subshell alone

# [TEST...]: entries of this folder with whatever tells that one was changed, NUL-terminated, sorted.
entries() (
    export LC_ALL=C
    find . -mindepth 1 ! -type s "$@" -printf '%y %m %U %G %s %T@ %C@ %i\t%p\0' | sort -z
)

# Names, NUL-terminated, of what `entries` lists, or of regular files only.
names() { sed -z 's/^[^\t]*\t//'; }
file_names() { sed -z -n 's/^f [^\t]*\t//p'; }

# FILES KEEP SUMS: bring a file of sums up to date: files whose names are in FILES are summed anew, and those that are
# not in KEEP are forgotten. Names with a newline have no place in it.
renew_sums() (
    export LC_ALL=C
    touch "$3"
    xargs -0 -r cksum -- < "$1" > "$3.new"
    failed=$?
    sort -s -u -t ' ' -k 3 "$3.new" "$3" > "$3.all"
    tr '\0' '\n' < "$2" | awk '
        NR == FNR {keep[$0]; next}
        {name = $0; sub(/^[0-9]+ [0-9]+ /, "", name)}
        name in keep' - "$3.all" > "$3.new"
    rm "$3.all" && mv "$3.new" "$3" && return $failed
)

# FOLDER SUMS: as `sum_folder`, with contents as they were summed when they came.
sum_known() (
    export LC_ALL=C
    cd "$1" || return
    find . ! -type s \( -type f -printf '%s ' -o -printf '- ' \) -printf '%y %m %U %G %Ts %l %P\n' | sort
    cat "$2"
)

# FOLDER [OPTION...]: text that is the same for two folders exactly when names, kinds, modes, owners, times, link targets
# and contents are, but for what tar's options leave out. Few processes, for a small workload waits for each of them.
sum_folder() {
    folder=$1
    shift
    tar --create --file=- --format=gnu --sort=name --numeric-owner "$@" --directory="$folder" . | cksum
}
