# restic.sh TRIES VERB FOLDER FLEET ARGUMENT... < SETTINGS: work on a repository of restic. SETTINGS: lines NAME=VALUE for its
# environment, secrets among them, up to an empty line; then what VERB reads. FOLDER: of the host's own, for what is kept between
# calls. TRIES: how often a repository that is locked is tried. Exit codes as restic has them since 0.17: 10 no repository, 11
# locked, 12 wrong password, for older ones by what they say; 28 no room here, 44 no such checkpoint, 124 no answer in
# time, 127 no restic.
umask 077
export LC_ALL=C
tries=$1 verb=$2 folder=$3 fleet=$4
shift 4
# shellcheck disable=SC2163 # the name is in it
while IFS= read -r line && [ -n "$line" ]; do export "$line" || exit 1; done
command -v restic >/dev/null || { echo "there is no restic" >&2; exit 127; }
mkdir -p "$folder" && tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
trap 'exit 143' TERM HUP INT
export RESTIC_CACHE_DIR="$folder/.cache"
LOOK=120 WORK=14000
status=0
go() { # SECONDS ARGUMENT...: restic, for so long at most. Locks that nobody holds any more, as restic tells them, are removed.
    limit=$1
    shift
    left=$tries
    while :; do
        status=0
        timeout -k 10 "$limit" restic "$@" </dev/null 2>"$tmp/err" || status=$?
        [ "$status" != 0 ] || return 0
        case $(tail -c 4000 "$tmp/err") in
        *'already locked'*) status=11 ;;
        *'wrong password or no key found'*) status=12 ;;
        *'no such file or directory'*'Is there a repository at'* | *'does not exist'*'Is there a repository at'*) status=10 ;;
        *'no snapshot found'* | *'no matching ID found'*) status=44 ;;
        *'no space left on device'*) [ "$verb" != bring ] || status=28 ;;
        esac
        left=$((left - 1))
        [ "$status" = 11 ] && [ "$left" -gt 0 ] || return "$status"
        timeout -k 10 60 restic unlock </dev/null >/dev/null 2>&1
        sleep 2
    done
}
fail() {
    tail -c 2000 "$tmp/err" >&2
    exit "$status"
}
snapshots_of() { # WORKLOAD ID: from $tmp/said
    sed 's/},{/}\n{/g' "$tmp/said" | grep -F "\"workload=$1\"" | grep -F "\"id=$2\"" | sed -n 's/.*"id":"\([0-9a-f]\{64\}\)".*/\1/p'
}
damaged() { # whether it ended because data are not what they were, or are gone; not because nobody answered
    grep -q -e 'ciphertext verification failed' -e 'no such file or directory' -e 'does not exist' -e 'invalid data' \
        -e 'does not match' "$tmp/err"
}
mine="reconciler,fleet=$fleet"
one="$mine,workload=${1:-},id=${2:-}"
case $verb in
list) go "$LOOK" snapshots --no-lock --json --tag "$mine${1:+,workload=$1}" || fail ;;
manifests) # < SNAPSHOT TREE: what each says of itself, as `TREE MANIFEST`, or `TREE - WHY`. Trees are named by what is in them.
    mkdir -p "$folder/.manifests" || exit 1
    find "$folder/.manifests" -type f -mtime +90 -delete
    while read -r snapshot tree; do
        file=$folder/.manifests/$tree
        if [ ! -s "$file" ] && ! go "$LOOK" dump --no-lock "$snapshot" /manifest.json >"$tmp/manifest"; then
            case $status in 10 | 11 | 12 | 124) fail ;; esac
            printf '%s - %s\n' "$tree" "$(tail -n 1 "$tmp/err")"
            continue
        fi
        [ -s "$file" ] || mv "$tmp/manifest" "$file" || exit 1
        touch "$file"
        printf '%s %s\n' "$tree" "$(head -n 1 "$file")"
    done
    ;;
upload) # WORKLOAD ID PART < MANIFEST: what is in PART becomes a checkpoint; one that is there already stays.
    cat >"$3/manifest.json" || exit 1
    go "$LOOK" snapshots --no-lock --json --tag "$one" >"$tmp/said" || fail
    [ -z "$(snapshots_of "$1" "$2")" ] || exit 0
    cd "$3" || exit 1
    go "$WORK" backup --quiet --host "$fleet" --tag "$one" . >/dev/null && exit 0
    [ "$status" = 3 ] || fail
    # Some of it could not be read, and there is a snapshot without it.
    cp "$tmp/err" "$tmp/why"
    # shellcheck disable=SC2046 # a word for each
    go "$LOOK" snapshots --no-lock --json --tag "$one" >"$tmp/said" && go "$WORK" forget --quiet $(snapshots_of "$1" "$2") >/dev/null
    cat "$tmp/why" >&2
    exit 3
    ;;
sums) # WORKLOAD ID: `FILE BYTES SHA256` for each file, all of it read; `failed WHY` where that did not come to its end.
    {
        go "$WORK" dump --tag "$one" latest / || { echo "$status" >"$tmp/status"; }
    } | tar --extract --file=- --to-command='sum=$(sha256sum) && echo "${TAR_FILENAME##*/} $TAR_SIZE ${sum%% *}"' 2>/dev/null
    if [ -e "$tmp/status" ]; then
        status=$(cat "$tmp/status")
        case $status in 1 | 2) damaged || fail ;; *) fail ;; esac
        echo "failed $(grep -v '^$' "$tmp/err" | tail -n 1)"
    fi
    ;;
bring) # WORKLOAD ID PART BYTES: its files into a new folder. Those that are damaged are told by their digests.
    part=$3
    rm -rf "$part" && mkdir -p "$part" || exit 1
    find "$folder/.brought" -mindepth 1 -maxdepth 1 -mmin +1440 -exec rm -rf {} + 2>/dev/null # of a host that lost power
    free=$(df --output=avail -B1 -- "$part" | tail -n 1)
    if [ "$free" -lt "$4" ]; then
        echo "$free bytes are free in $folder, and $4 are needed" >&2
        exit 28
    fi
    go "$WORK" restore --tag "$one" latest --target "$part" >/dev/null || { [ "$status" = 1 ] && damaged; } || fail
    ;;
remove) # < WORKLOAD ID
    go "$LOOK" snapshots --no-lock --json --tag "$mine" >"$tmp/said" || fail
    while read -r workload id; do snapshots_of "$workload" "$id"; done >"$tmp/gone"
    [ -s "$tmp/gone" ] || exit 0
    # shellcheck disable=SC2046 # a word for each
    go "$WORK" forget --quiet $(cat "$tmp/gone") >/dev/null || fail
    # What nothing refers to any more is freed now, or with the next that goes where somebody else works on it now.
    go "$WORK" prune --quiet >/dev/null || [ "$status" = 11 ] || fail
    ;;
pin) go "$LOOK" tag --quiet --add pinned --tag "$one" >/dev/null || fail ;;
rehearsed) # WORKLOAD ID TAG BEFORE
    # shellcheck disable=SC2086 # two words or none
    go "$LOOK" tag --quiet --add "$3" ${4:+--remove "$4"} --tag "$one" >/dev/null || fail
    ;;
unpin) go "$LOOK" tag --quiet --remove pinned --tag "$one" >/dev/null || fail ;;
esac
