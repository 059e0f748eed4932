#!/bin/sh
# transfer-feed.sh KEY start INDEX FOLDER: let the pages of a folder of images follow to where line INDEX of the link's list
# says, once everything else is there: see templates/criu/serve.py, which says what is missing and what it wants first.
# Runs on by itself, beside the controller, and connects anew whenever the connection breaks, until the other end has
# all; ended with whatever runs for the link (transfer-link.sh), or when link or images are gone. Repeated, it changes
# nothing. Exit 66: the images are not there.
set -eu
umask 077
key=$1 verb=$2 index=$3 images=$4
dir=/run/reconciler/links/$key
[ -d "$dir" ] || { echo "no link $key here" >&2; exit 67; }
live() { # what was on disk when power was lost may not have been written to its end
    grep -q " $images " /proc/mounts || [ -e "$images/from-disk" ] || 
        [ "$(cat "$images/boot")" = "$(cat /proc/sys/kernel/random/boot_id)" ]
}
[ -e "$images/first" ] && live || { echo "the images of $images are gone: what has not arrived of them is lost" >&2; exit 66; }
if [ "$verb" = start ]; then
    setsid "$0" "$key" run "$index" "$images" < /dev/null > /dev/null 2>> "$dir/feed.log" &
    exit 0
fi
exec 9> "$dir/feed.lock"
flock -n 9 || exit 0 # it runs
read -r _ _ _ _ group _ < "/proc/$$/stat"
: > "$dir/run.$group"
trap 'rm -f "$dir/run.$group"' EXIT
trap 'exit 143' TERM HUP INT
while [ -d "$dir" ] && [ -e "$images/first" ]; do # ends with link or images, or when all is there
    : > "$dir/feed.log"
    ! python3 -c '
import collections, fcntl, json, os, select, struct, subprocess, sys, time, zlib

PAGE, BULK, URGENT = 4096, 1 << 18, 1 << 16
LEAST, GREATEST, PATIENCE = 1 << 19, 1 << 24, 0.03
FRAME, WORD = struct.Struct("<IIQI"), struct.Struct("<4sIQQ")
os.chdir(sys.argv[1])
link = subprocess.Popen(sys.argv[2:], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
out, answers = link.stdin.fileno(), link.stdout.fileno()
fcntl.fcntl(out, 1031, 1 << 20) # F_SETPIPE_SZ: processes wait for each other less often
files, left, begin_at, wanted = {}, {}, {}, collections.deque() # left: a byte for each page that did not go yet
owed, going, said, lost = 0, False, b"", 0
kept = None # which parts there are of images that were put back from disk
if os.path.exists("from-disk"):
    with open("from-disk") as told:
        kept = json.load(told)
# Bytes on the way, when each frame went, and how many may be: so many that none waits for long behind others, for a
# page that somebody waits for goes after them.
room = memoryview(bytearray(FRAME.size + BULK))
way, flying, window, quickest = collections.deque(), 0, LEAST, 9.9

def send(number, at, most):
    """The first pages from there on, of so many bytes, that did not go yet; how far it came, or None."""
    global flying, owed
    pages = left[number]
    begin = pages.find(1, at // PAGE, (at + most) // PAGE)
    if begin < 0:
        return None
    end = pages.find(0, begin, min(begin + BULK // PAGE, (at + most) // PAGE))
    end = min(begin + BULK // PAGE, (at + most) // PAGE) if end < 0 else end
    data = room[FRAME.size:FRAME.size + (end - begin) * PAGE]
    if os.preadv(files[number], [data], begin * PAGE) != len(data):
        sys.exit("pages-%d.img has become shorter" % number)
    FRAME.pack_into(room, 0, number, len(data), begin * PAGE, zlib.crc32(data))
    frame = room[:FRAME.size + len(data)]
    while frame: # ends by taking what was sent
        frame = frame[os.write(out, frame):]
    pages[begin:end] = bytes(end - begin)
    owed -= end - begin
    flying += len(data)
    way.append((len(data), time.monotonic()))
    return end * PAGE

def acknowledged(length):
    global flying, window, quickest
    flying -= length
    took = time.monotonic() - way.popleft()[1]
    quickest = min(quickest, took)
    window = min(window + length, GREATEST) if took < quickest + PATIENCE else max(LEAST, window - length // 8)

def next_of_all():
    for number, pages in sorted(left.items()):
        begin_at[number] = pages.find(1, begin_at[number])
        if begin_at[number] >= 0:
            return send(number, begin_at[number] * PAGE, BULK)
        begin_at[number] = len(pages)

while True: # ends by the word of the other end, or the end of its connection
    bulk = going and owed and flying < window
    if select.select([answers], [], [], 0 if wanted or bulk else None)[0]:
        data = os.read(answers, 1 << 16)
        if not data:
            sys.exit("the connection ended")
        said += data
        while len(said) >= WORD.size: # ends by taking what was said
            word, which, begin, length = WORD.unpack_from(said)
            said = said[WORD.size:]
            if word == b"end ":
                sys.exit(0)
            elif word == b"ack ":
                acknowledged(length)
            elif word == b"go  ":
                going = True
            elif word == b"want":
                wanted.append((which, begin, length))
            elif word == b"need":
                if which not in files:
                    files[which] = os.open("pages-%d.img" % which, os.O_RDONLY)
                    left[which] = bytearray(os.fstat(files[which]).st_size // PAGE)
                if begin + length > len(left[which]) * PAGE:
                    sys.exit("there is no such part of pages-%d.img" % which)
                begin, length = begin // PAGE, length // PAGE
                there = bytearray(b"\1" * length) if kept is None else bytearray(length)
                for at, size in [] if kept is None else kept["pages-%d.img" % which]:
                    first, last = max(at // PAGE - begin, 0), min((at + size) // PAGE - begin, length)
                    there[first:last] = b"\1" * max(last - first, 0)
                owed += sum(there) - left[which].count(1, begin, begin + length)
                left[which][begin:begin + length] = there
                begin_at[which] = 0
                if length > sum(there):
                    lost += (length - sum(there)) * PAGE
                    with open("../persist.lost", "w") as note:
                        note.write("%d\n" % lost)
            else:
                sys.exit("not a word of the other end")
    elif wanted:
        which, begin, length = wanted[0]
        came = send(which, begin, min(length, URGENT))
        if came is None or came >= begin + length:
            wanted.popleft()
        else:
            wanted[0] = (which, came, begin + length - came)
    elif bulk:
        next_of_all()
' "$images" ssh -F "$dir/ssh_config" -S "$dir/master.0" link "feed $index none" 9>&- || break
    sleep 0.3
done
