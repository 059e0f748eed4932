# persist.sh HOME RUN PROGRAM HOW: see to it that the images of a source, whose memory follows to another host, get on its disk,
# or are put back from there after it has lost power. PROGRAM: that of persist.py. RUN: the hand-over's. HOW: `write`, or
# `back` where none is written any more. Prints what of them is on disk, and what is lost (persisting.sh). Exit 4: there
# is no room. Exit 66: the images are gone. Repeated, it changes nothing.
home=$1 run=$2 program=$3 how=$4
# include persisting
cd "$home" 2>/dev/null || { echo "$home is not there" >&2; exit 66; }
if images_live "$home/checkpoint"; then
    if [ "$how" = write ] && [ ! -e checkpoint/from-disk ] && ! persisting && ! persisted; then
        python3 -c "$program" room "$home" "$run" || exit
        forget_persisted "$home"
        mkdir -m 700 persisted || exit 4
        find checkpoint -mindepth 1 -maxdepth 1 ! -name 'pages-[0-9]*.img' -exec cp -a -t persisted -- {} + || exit 4
        setsid /bin/sh -c '! command -v ionice >/dev/null || ionice -c 3 -p $$
            exec python3 -c "$@"' persist "$program" write "$home" "$run" </dev/null >/dev/null 2>persist.log &
        echo $! >persist.pid
    fi
else
    python3 -c "$program" back "$home" "$run" || exit
    rm -rf checkpoint/was.*
fi
tell_persisted
