# Sums that both ends of a copy make and the controller compares (CRC-32: against tampering SSH's own authentication
# stands). No program of its own: this text stands in transfer-send.sh and transfer-receive.sh.
#
# Pages of memory, which are most of a move, are summed part by part beside the stream, so that only the last part is
# waited for. The sender sums when the dump is complete, whenever it has sent: bytes that changed since then show.

# FOLDER PATTERN: text that is the same for two folders exactly when names, kinds, modes, owners, link targets, sizes
# and contents are; of files whose names match only names and sizes.
list_folder() (
    export LC_ALL=C
    cd "$1"
    find . -mindepth 1 ! -type s \( -type f -name "$2" -printf '%s %P\n' -o \
        \( -type f -printf '%s ' -o -printf '- ' \) -printf '%y %m %U %G %l %P\n' \) | sort
    find . -type f ! -name "$2" -print0 | sort -z | xargs -0 -r cksum --
)

# NUMBER OFFSET LENGTH: the sum of one part of pages-NUMBER.img here.
sum_part() {
    dd if="pages-$1.img" bs=256k iflag=skip_bytes,count_bytes skip="$2" count="$3" status=none | cksum
}

# FOLDER PATTERN PARTS: one sum of all; PARTS is a file with the sums of parts.
sum_all() { { list_folder "$1" "$2" && cat "$3"; } | cksum; }
