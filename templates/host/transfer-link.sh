#!/bin/sh
# transfer-link.sh VERB KEY ...: makes and removes what one link of bulk copies needs on this host. Runs as root.
#
# A link is a key pair made on the source, usable from the source's address only, for nothing but our receiver, and
# only for the trees listed for it on the destination. All of it is in $LINKS/KEY; a reboot forgets the private key.
set -eu
umask 077
LINKS=/run/reconciler/links
verb=$1 key=$2
shift 2
case $key in ''|-*|*[!A-Za-z0-9-]*) echo "bad link name" >&2; exit 64 ;; esac
dir=$LINKS/$key

refuse() { echo "not $1" >&2; exit 64; }

open_folder() {
    mkdir -p "$LINKS"
    mkdir -p "$dir"
    exec 9> "$dir/lock"
    flock -w 60 9 || { echo "somebody else works on this link for a minute" >&2; exit 76; }
}

say_abilities() {
    if grep -qw aes /proc/cpuinfo; then echo "aes yes"; else echo "aes no"; fi
    for tool in zstd lz4 perl; do
        ! command -v "$tool" > /dev/null || echo "$tool yes"
    done
}

# Bytes per second that the network takes. The kernel knows best: what a clock says here is as much about how busy the
# hosts are, which compressing makes worse. Without `ss` it is the clock, less what a session costs by itself.
PROBE=8388608
say_rate() {
    t0=$(date +%s%N)
    call hello < /dev/null > /dev/null || true
    t1=$(date +%s%N)
    head -c "$PROBE" /dev/zero | timeout 2 ssh -F "$dir/ssh_config" -S "$dir/master.0" link probe > /dev/null 9>&- || true
    t2=$(date +%s%N)
    took=$((t2 - t1 - (t1 - t0)))
    [ "$took" -gt 1000000 ] || took=1000000
    name=$(awk '$1 == "HostName" {print $2}' "$dir/ssh_config")
    ip=$(getent ahosts "$name" | awk 'NR == 1 {print $1}')
    { ss -tinH dst "$ip" 2>/dev/null || true; } | awk -v clock=$((PROBE * 1000000000 / took)) '
        match($0, /delivery_rate [0-9]+bps/) {
            rate = substr($0, RSTART + 14, RLENGTH - 17) / 8
            if (rate > best) best = rate
        }
        END {printf "rate %.0f\n", best ? best : clock}'
}

# End whatever still runs for this link; files named run.GROUP say which process groups that are. A group's number
# may have been used again since: only a group in which a process still names this link is ours.
settle() {
    for file in "$dir"/run.*; do
        [ -e "$file" ] || continue
        group=${file##*/run.}
        for process in /proc/[0-9]*; do
            read -r stat 2>/dev/null < "$process/stat" || continue
            # shellcheck disable=SC2086
            set -- ${stat##*) }
            [ "$3" = "$group" ] || continue
            if tr '\0' ' ' 2>/dev/null < "$process/cmdline" | grep -q "transfer-[a-z]*-[0-9a-f]* .*$key "; then
                kill -s KILL -- "-$group" 2>/dev/null || true
                break
            fi
        done
        rm -f "$file"
    done
    rm -rf "$dir"/send.* "$dir"/receive.* "$dir"/seen.* "$dir"/sums.*
}

# The file sshd reads for a user, and whose it is.
find_authorized_keys() {
    home=$(getent passwd "$1" | cut -d: -f6)
    [ -n "$home" ] || { echo "no user $1 here" >&2; exit 67; }
    keys=$(readlink -f "$home/.ssh/authorized_keys" || echo "$home/.ssh/authorized_keys")
}

# Replace the file by one without this link's line and with the given line, if any; all others stay byte for byte.
rewrite_keys() {
    mkdir -p "$LINKS"
    exec 8> "$LINKS/.authorized_keys.lock"
    flock -w 60 8 || { echo "somebody else writes authorized_keys for a minute" >&2; exit 76; }
    mark=" reconciler-link:$key"
    [ -e "$keys" ] || { [ -n "$2" ] || return 0; }
    if [ -z "$2" ] && ! grep -q -- "$mark\$" "$keys"; then return 0; fi
    folder=$(dirname "$keys")
    if [ ! -d "$folder" ]; then
        mkdir "$folder"
        chown "$1:" "$folder"
    fi
    new=$(mktemp "$folder/.authorized_keys.XXXXXX")
    if [ -e "$keys" ]; then
        awk -v mark="$mark" 'length($0) < length(mark) || substr($0, length($0) - length(mark) + 1) != mark' "$keys" > "$new"
        chown --reference="$keys" "$new"
        chmod --reference="$keys" "$new"
    else
        chown "$1:" "$new"
    fi
    [ -z "$2" ] || printf '%s\n' "$2" >> "$new"
    sync "$new" 2>/dev/null || true
    mv -f "$new" "$keys"
    ! command -v restorecon >/dev/null 2>&1 || restorecon "$keys" 2>/dev/null || true
}

case $verb in
    prepare) # ADDRESS; stdin: what is known of the destination's host key
        open_folder
        cat > "$dir/known_hosts"
        if [ ! -e "$dir/id" ]; then
            ssh-keygen -q -t ed25519 -N '' -C "reconciler-link:$key" -f "$dir/id.new"
            mv "$dir/id.new.pub" "$dir/id.pub"
            mv "$dir/id.new" "$dir/id"
        fi
        ip=$(getent ahosts "$1" | awk 'NR == 1 {print $1}')
        if [ -n "$ip" ]; then
            ip -o route get "$ip" 2>/dev/null | sed -n 's/.* src \([^ ]*\).*/from \1/p'
        fi
        say_abilities
        echo "public $(cut -d' ' -f1,2 "$dir/id.pub")"
        ;;
    admit) # USER FROM COMMAND; stdin: the public key
        open_folder
        [ -e "$dir/list" ] || : > "$dir/list"
        # FROM and the key are what the source has answered. Nothing of them may end an option or begin another line.
        read -r type blob
        case $2 in ''|*[!0-9a-fA-F.:]*) refuse "an address" ;; esac
        case ${3#sudo -n } in
            *[!A-Za-z0-9/._-]*) refuse "our receiver" ;;
            /*/transfer-receive-*) ;;
            *) refuse "our receiver" ;;
        esac
        [ "$type" = ssh-ed25519 ] || refuse "a key"
        case $blob in ''|*[!A-Za-z0-9+/=]*) refuse "a key" ;; esac
        find_authorized_keys "$1"
        rewrite_keys "$1" "restrict,from=\"$2\",command=\"$3 $key \\\"\$SSH_ORIGINAL_COMMAND\\\"\" $type $blob reconciler-link:$key"
        say_abilities
        ;;
    connect) # SECONDS; stdin: the ssh configuration. A warm connection; fails when there is no direct way.
        open_folder
        cat > "$dir/ssh_config"
        call() { timeout "$limit" ssh -F "$dir/ssh_config" -S "$dir/master.0" link "$1" 2> "$dir/why" 9>&-; }
        limit=$1
        if ! answer=$(call hello < /dev/null); then
            cat "$dir/why" >&2
            exit 75
        fi
        case $answer in *"rc: hello"*) ;; *) echo "not our receiver: $answer" >&2; exit 75 ;; esac
        say_rate
        ;;
    register) # stdin: what may be written, one a line. Old content goes now, so that deletions arrive too.
        open_folder
        settle
        cat > "$dir/list.new"
        while IFS="$(printf '\t')" read -r kind _ path; do
            [ "$kind" != image ] || continue
            [ -d "$path" ] || { echo "$path is not a folder" >&2; exit 66; }
            find "$path" -mindepth 1 -xdev -delete
        done < "$dir/list.new"
        mv "$dir/list.new" "$dir/list"
        ;;
    names) # MOST PATH...: `long LINE BYTES NAME` for a folder with a name of more bytes, by its line among PATH...
        most=$1 line=0
        shift
        for path; do
            line=$((line + 1))
            [ -d "$path" ] || continue # which the copy says
            # No name that is so long has fewer folders: each has at most 255 bytes.
            (cd "$path" && find . -mindepth $((most / 256)) -printf '%p\0') | LC_ALL=C tr '\n\0' ' \n' |
                LC_ALL=C awk -v most="$most" -v line="$line" 'length > most {print "long", line, length, substr($0, 1, 80); exit}'
        done
        ;;
    settle)
        [ -d "$dir" ] || exit 0
        settle
        ;;
    expel) # USER: without a direct way, nobody may come over it
        find_authorized_keys "$1"
        rewrite_keys "$1" ""
        ;;
    close) # USER: this host's share of the link goes, whichever side it was
        if [ -d "$dir" ]; then
            settle
            for master in "$dir"/master.*; do
                [ ! -S "$master" ] || ssh -F "$dir/ssh_config" -S "$master" -O exit link 2>/dev/null || true
            done
        fi
        find_authorized_keys "$1"
        rewrite_keys "$1" ""
        rm -rf "$dir"
        ;;
    *) echo "unknown verb $verb" >&2; exit 64 ;;
esac
