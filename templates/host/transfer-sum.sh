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

# Times to the nanosecond, and nothing in it that is another each time.
EXACT="--format=posix --pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime"

# Names on stdin, NUL-terminated. `blocks`: what these files hold, but for blocks of zeros, so that a file has one sum
# wherever its holes are, for its data is all that is read. `attributes`: those that `find` does not know. `sparse`: those
# of them that look larger than they are by a mebibyte. `bare`: takes their attributes off.
perl_of() {
    perl -e '
        use strict; my $what = shift; $/ = "\0"; binmode STDOUT;
        my $zero = "\0" x 4096; my $machine = `uname -m`;
        my ($list, $get, $remove) =
            $machine =~ /^x86_64/ ? (195, 192, 198) : $machine =~ /^(aarch64|riscv|loongarch)/ ? (12, 9, 15) : ();
        while (defined(my $name = <STDIN>)) { # ends by the end of its input
            chomp $name;
            if ($what eq "attributes" || $what eq "bare") {
                next unless $list;
                my $names = "\0" x 65536;
                my $length = syscall($list, $name, $names, 65536);
                next if $length <= 0;
                for my $key (sort split /\0/, substr($names, 0, $length)) {
                    syscall($remove, $name, $key) if $what eq "bare" && $key ne "security.selinux";
                    next if $what eq "bare" || $key =~ /^(security\.selinux|trusted\.overlay\.(origin|impure|nlink|uuid|upper))$/;
                    my $value = "\0" x 65536;
                    my $size = syscall($get, $name, $key, $value, 65536);
                    print "$name\0$key\0", $size >= 0 ? substr($value, 0, $size) : "?", "\n";
                }
                next;
            }
            my @is = lstat $name or next;
            if ($what eq "sparse") {
                print "$name\0" if -f _ && $is[7] - $is[12] * 512 >= 1 << 20;
                next;
            }
            open(my $file, "<:raw", $name) or die "$name: $!\n";
            print "$name\0$is[7]\0";
            my $at = 0;
            while ($at < $is[7]) { # ends by the end of the file: each turn goes on from the last
                my $data = sysseek($file, $at, 3); # SEEK_DATA
                last unless defined $data;
                $data -= $data % 4096;
                my $end = sysseek($file, $data > $at ? $data : $at, 4) // die "$name: $!\n"; # SEEK_HOLE
                sysseek($file, $data, 0);
                while ($data < $end) { # ends by the end of what is there
                    my $got = sysread($file, my $part, 1 << 20) // die "$name: $!\n";
                    last unless $got;
                    for (my $from = 0; $from < $got; $from += 4096) {
                        my $block = substr($part, $from, 4096);
                        print pack("Q", $data + $from), $block if $block ne substr($zero, 0, length $block);
                    }
                    $data += $got;
                    sysseek($file, $data, 0) if $got % 4096;
                }
                $at = $end > $at ? $end : $at + 4096;
            }
        }' "$1"
}

# FILES KEEP SUMS SPARSE: bring a file of sums up to date: files whose names are in FILES are summed anew, those of SPARSE
# by their blocks, and those that are not in KEEP are forgotten. Names with a newline have no place in it.
renew_sums() (
    export LC_ALL=C
    touch "$3"
    sort -z "$1" > "$3.files"
    comm -z -23 "$3.files" "$4" | xargs -0 -r cksum -- > "$3.new"
    failed=$?
    comm -z -12 "$3.files" "$4" | tr '\0' '\n' | while IFS= read -r name; do
        echo "$(printf '%s\0' "$name" | perl_of blocks | cksum) $name"
    done >> "$3.new"
    sort -s -u -t ' ' -k 3 "$3.new" "$3" > "$3.all"
    tr '\0' '\n' < "$2" | awk '
        NR == FNR {keep[$0]; next}
        {name = $0; sub(/^[0-9]+ [0-9]+ /, "", name)}
        name in keep' - "$3.all" > "$3.new"
    rm "$3.all" "$3.files" && mv "$3.new" "$3" && return $failed
)

# FLAG FOLDER SUMS: as `sum_tree`, with contents as they were summed when they came.
sum_known() (
    export LC_ALL=C
    cd "$2" || return
    find . ! -type s \( -type f -printf '%s ' -o -printf '- ' \) -printf '%y %m %U %G %T@ %l %P\n' | sort
    [ "$1" != 2 ] || find . ! -type s -print0 | sort -z | perl_of attributes | cksum
    cat "$3"
)

# FLAG FOLDER SPARSE: text that is the same for two trees exactly when names, kinds, modes, owners, times, link targets
# and contents are, and attributes with FLAG 2, which both ends must have Perl for: tar lists them in any order. SPARSE:
# names of files to sum by their blocks; may be empty. Few processes, for a small workload waits for each of them.
sum_tree() (
    export LC_ALL=C
    cd "$2" || return
    # shellcheck disable=SC2086
    if [ ! -s "$3" ]; then
        tar --create --file=- --sort=name --numeric-owner $EXACT . | cksum
    else
        find . -print0 | sort -z | comm -z -23 - "$3" |
            tar --create --file=- --numeric-owner $EXACT --no-recursion --null --verbatim-files-from --files-from=- | cksum
        xargs -0 -r sh -c 'exec find "$@" -maxdepth 0 -printf "%y %m %U %G %T@ %n %p\n"' sh < "$3"
        perl_of blocks < "$3" | cksum
    fi
    [ "$1" != 2 ] || find . ! -type s -print0 | sort -z | perl_of attributes | cksum
)

# FOLDER [OPTION...]: the same for images: plain files of CRIU's.
sum_folder() {
    folder=$1
    shift
    tar --create --file=- --format=gnu --sort=name --numeric-owner "$@" --directory="$folder" . | cksum
}
