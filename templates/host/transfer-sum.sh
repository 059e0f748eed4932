# Sums that both ends of a copy make and the controller compares (CRC-32: against tampering SSH's own authentication
# stands). No program of its own: this text stands in transfer-send.sh and transfer-receive.sh.
#
# Pages of memory, which are most of a move, are summed part by part beside the stream, so that only the last part is
# waited for. The sender sums when the dump is complete, whenever it has sent: bytes that changed since then show.

# The sums of parts of pages here, as lines `NUMBER OFFSET LENGTH` name them on stdin; one at a time, for the stream needs
# the processors too.
sum_parts() {
    while read -r number offset length; do
        echo "$number $offset $length"
        dd if="pages-$number.img" bs=256k iflag=skip_bytes,count_bytes skip="$offset" count="$length" status=none | cksum
    done
}

# FOLDER [OPTION...]: text that is the same for two folders exactly when names, kinds, modes, owners, times, link targets
# and contents are, but for what tar's options leave out. Few processes, for a small workload waits for each of them.
sum_folder() {
    folder=$1
    shift
    tar --create --file=- --format=gnu --sort=name --numeric-owner "$@" --directory="$folder" . | cksum
}
