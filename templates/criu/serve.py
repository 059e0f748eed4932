# serve.py HOME COMMAND...: becomes CRIU's page daemon (COMMAND), and leaves beside it a page server that has the daemon's
# only connection. It answers from the files of pages of HOME/checkpoint while they arrive from the source, in frames
# with a sum each, over what transfer-receive.sh hands it at `pages.socket` (transfer-feed.sh is at the other end); what is
# missing it asks for out of order. A page that has not come, or whose sum is wrong, is never answered: who wants it waits.
#
# Told that the restore is over, the daemon asks for all the rest, part after part, and polls without a pause while a
# question is open (handle_requests in criu/uffd.c): one processor less for who brings the pages, and no more than one part
# under way. Until then it sleeps, and wakes for what a task waits for. So keeper.pl leaves it to this program to tell it.
#
# The daemon's messages (criu/page-xfer.c): up to CRIU 4.1.1 u32 command, u32 pages, u64 address, u64 task; since 4.2 the
# number of pages has 64 bits, behind four unused bytes.
# include pagemap.py
import fcntl
import select
import socket
import time
import zlib
from contextlib import suppress

GET, ADD, CLOSE, FORCE_CLOSE = 7, 6, 0x1023, 0x1024
OLD, NEW = struct.Struct("<IIQQ"), struct.Struct("<I4xQQQ")
FRAME, WORD = struct.Struct("<IIQI"), struct.Struct("<4sIQQ")
LONGEST = 1 << 20
AHEAD, MOST = 16, 1024  # pages asked for at a fault; pages of one answer, of which the daemon has no more
PIPE_SIZE = 1031  # F_SETPIPE_SZ
GATHER = 0.001  # seconds in which more may come, when nobody waits for it
OVER = struct.pack("<I", 0x52535446)  # what CRIU tells its daemon when tasks are about to run
GO_AT_LAST = 5.0  # seconds from the first question on, should nobody say that the restore is over


class Pages:
    """The files of pages of a folder of images, while they arrive."""

    def __init__(self):
        with open("first", "rb") as first:
            head = json.loads(first.readline())
            self.files, self.here = {}, {}
            os.close(os.open("partial", os.O_WRONLY | os.O_CREAT, 0o600))
            for name, size in head["sizes"].items():
                number = int(name)
                self.files[number] = os.open("pages-%d.img" % number, os.O_RDWR | os.O_CREAT, 0o600)
                os.ftruncate(self.files[number], size)
                self.here[number] = bytearray(size // PAGE)
            self.missing = sum(len(here) for here in self.here.values())
            for number, at, length in head["parts"]:
                part = first.read(length)
                if len(part) != length:
                    sys.exit("the file `first` is cut short")
                self.write(number, at, part)
        self.note()
        self.tasks = layout()[0]

    def note(self):
        """Without all pages these images are no copy of the workload (restorable.sh)."""
        if not self.missing:
            with suppress(FileNotFoundError):
                os.unlink("partial")

    def write(self, number, at, data):
        here, begin, end = self.here[number], at // PAGE, (at + len(data)) // PAGE
        view = memoryview(data)
        while view:
            try:
                written = os.pwrite(self.files[number], view, at)
            except OSError as error:  # no fault of the source's, so it would not help to ask it again
                sys.exit("pages-%d.img cannot be written: %s" % (number, error))
            view, at = view[written:], at + written
        self.missing -= here.count(0, begin, end)
        here[begin:end] = b"\1" * (end - begin)
        self.note()

    def find(self, task, address):
        """Number and place of a page, and how many pages of its run there are from there on."""
        low, runs = 0, self.tasks[task]
        high = len(runs)
        while low < high:
            middle = (low + high) // 2
            low, high = (middle + 1, high) if runs[middle][0] <= address else (low, middle)
        start, count, number, at = runs[low - 1]
        skip = (address - start) // PAGE
        if not low or not 0 <= skip < count:
            raise ValueError("nobody has a page of task %d at %#x" % (task, address))
        return number, at + skip * PAGE, count - skip

    def ready(self, number, at, most):
        """How many pages from there on are here."""
        begin = at // PAGE
        end = self.here[number].find(0, begin, begin + most)
        return most if end < 0 else end - begin

    def gaps(self):
        """What is missing, as number, place and length."""
        for number, here in sorted(self.here.items()):
            begin = here.find(0)
            while begin >= 0:
                end = here.find(1, begin)
                end = len(here) if end < 0 else end
                yield number, begin * PAGE, (end - begin) * PAGE
                begin = here.find(0, end)


class Feed:
    """The way to the source. One at a time: a new one takes the place of the last."""

    def __init__(self, pages, relay, ends):
        self.input, self.output = struct.unpack("ii", ends)
        self.relay, self.pages, self.asked = relay, pages, {}
        self.room, self.have = memoryview(bytearray(2 * LONGEST)), 0
        with suppress(OSError):  # it may be none, or have no more
            fcntl.fcntl(self.input, PIPE_SIZE, LONGEST)
        for gap in pages.gaps():
            self.say(b"need", *gap)

    def say(self, word, number=0, at=0, length=0):
        told = WORD.pack(word, number, at, length)
        while told:
            told = told[os.write(self.output, told) :]

    def want(self, number, at, count):
        """What a task waits for, and a little more, once."""
        asked = self.asked.setdefault(number, set())
        if at not in asked:
            asked.add(at)
            length = min(max(count, AHEAD), 4 * AHEAD) * PAGE
            self.say(b"want", number, at, min(length, len(self.pages.here[number]) * PAGE - at))

    def take(self):
        """Whatever has come. Whether that is all: the other end has gone."""
        got = os.readv(self.input, [self.room[self.have :]])
        self.have += got
        done = 0
        while self.have - done >= FRAME.size:
            number, length, at, told = FRAME.unpack_from(self.room, done)
            size = len(self.pages.here.get(number, ())) * PAGE
            if not 0 < length <= LONGEST or length % PAGE or at % PAGE or at + length > size:
                raise ValueError("not a part of these files")
            end = done + FRAME.size + length
            if self.have < end:
                break
            part = self.room[done + FRAME.size : end]
            if zlib.crc32(part) == told:
                self.pages.write(number, at, part)
            else:
                self.asked.pop(number, None)
                self.say(b"need", number, at, length)
            self.say(b"ack ", length=length)
            done = end
        if done:
            self.room[: self.have - done] = self.room[done : self.have]
            self.have -= done
        return not got

    def close(self):
        """Whoever handed it over notices."""
        for end in (self.input, self.output):
            os.close(end)
        self.relay.close()


class Daemon:
    """What CRIU's page daemon has asked for, in its order, which is that of the answers."""

    def __init__(self, pages, connection):
        self.pages, self.connection, self.form, self.waiting, self.buffer = pages, connection, None, [], b""

    def take(self):
        """Whether it goes on: its end is none of a question."""
        data = self.connection.recv(1 << 16)
        self.buffer += data
        while len(self.buffer) >= OLD.size:
            if self.form is None:  # the newer one has no address there, but a number of pages
                address = struct.unpack_from("<Q", self.buffer, 8)[0]
                self.form = OLD if address and address % PAGE == 0 else NEW
            if len(self.buffer) < self.form.size:
                break
            command, count, address, task = self.form.unpack_from(self.buffer)
            self.buffer = self.buffer[self.form.size :]
            if command & 0xFFFF in (CLOSE, FORCE_CLOSE):
                self.connection.sendall(struct.pack("<i", 0))
                return False
            if command & 0xFFFF != GET:
                raise ValueError("the page daemon says %#x" % command)
            number, at, left = self.pages.find(task, address)
            self.waiting.append((number, at, min(count, left, MOST), address, task))
        return bool(data)

    def answer(self):
        while self.waiting:
            number, at, most, address, task = self.waiting[0]
            count = self.pages.ready(number, at, most)
            if not count:
                return
            self.connection.sendall(self.form.pack(PRESENT << 16 | ADD, count, address, task))
            left = count * PAGE
            while left:
                sent = os.sendfile(self.connection.fileno(), self.pages.files[number], at, left)
                at, left = at + sent, left - sent
            self.waiting.pop(0)


class Source:
    """The source, while somebody feeds from there; what fails on the way to it ends that feed alone."""

    def __init__(self, pages, listening):
        self.pages, self.listening, self.feed, self.going = pages, listening, None, False
        self.restorer, self.told = None, False  # its end of its connection with the daemon, and whether it is used

    def inputs(self):
        return [self.listening] + ([self.feed.input] if self.feed else [])

    def drop(self):
        if self.feed:
            self.feed.close()
        self.feed, self.going = None, False

    def meet(self, caller):
        """Who hands over the way to the source (transfer-receive.sh), or that to the daemon (keeper.pl)."""
        word, ancillary, _, _ = caller.recvmsg(1, socket.CMSG_SPACE(8))
        if word == b"x":
            self.drop()
            self.feed = Feed(self.pages, caller, ancillary[0][2])
        else:
            self.restorer = socket.socket(fileno=struct.unpack("i", ancillary[0][2])[0])
            caller.close()

    def tell(self):
        """The daemon, when nothing more is waited for. It stays connected: should the keeper die, the daemon would
        take the end of that connection for the end of the restore."""
        if self.restorer and not self.told and not self.pages.missing:
            self.told = True
            with suppress(OSError):  # should it have gone, so has its other connection
                self.restorer.send(OVER)

    def attend(self, readable, restored, waiting):
        try:
            if self.listening in readable:
                self.meet(self.listening.accept()[0])
            elif self.feed and self.feed.input in readable and self.feed.take():
                self.drop()
            if self.feed and restored and not self.going:
                self.feed.say(b"go  ")
                self.going = True
            for number, at, most, _, _ in waiting if self.feed else ():
                if not self.pages.ready(number, at, 1):
                    self.feed.want(number, at, most)
        except (OSError, ValueError, IndexError, struct.error) as error:
            print("the feed was dropped: %s" % error, file=sys.stderr, flush=True)
            self.drop()

    def end(self):
        if self.feed:
            self.feed.say(b"end ")


def serve(pages, connection, listening):
    daemon, source, began, told = Daemon(pages, connection), Source(pages, listening), None, 0.0
    left = os.open("../pages.left", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    goes_on, restored = True, False
    # Ends with the page daemon, when the tasks that it serves have all; or when its note, which is made soon, is taken
    # away, as who removes them does.
    noted = removed = False
    while goes_on and not removed:
        now = time.monotonic()
        if now > told + 0.2 or not (noted and restored):
            os.pwrite(left, b"%20d\n" % (pages.missing * PAGE), 0)
            there, told = os.path.exists("../lazy-pages.pid"), now
            noted, removed = noted or there, noted and not there
            restored = restored or os.path.exists("../pages/go") or (began is not None and now > began + GO_AT_LAST)
        readable = select.select([connection, *source.inputs()], [], [], 0.2 if source.going else 0.01)[0]
        if source.going and not daemon.waiting and connection not in readable:
            readable += select.select([connection], [], [], GATHER)[0]
        if connection in readable:
            goes_on, began = daemon.take(), began or now
        # Only what was sent and agrees is here, so answers before and after are the same.
        source.attend(readable, restored, daemon.waiting)
        source.tell()
        daemon.answer()
    source.end()


home, command = sys.argv[1], sys.argv[2:]
os.chdir(home + "/checkpoint")
pages = Pages()
ours, its = socket.socketpair()
its.setsockopt(socket.SOL_SOCKET, 32, 4 << 20)  # SO_SNDBUFFORCE: as many questions as a task has threads
# The daemon is who was started, so that its end is seen; who serves it is nobody's child.
if os.fork():
    os.wait()
    ours.close()
    os.set_inheritable(its.fileno(), True)
    os.execvp(command[0], command + ["--ps-socket", str(its.fileno())])
if os.fork():
    os._exit(0)
its.close()
os.dup2(os.open("../pages.log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), 2)
with suppress(OSError), open("/proc/self/oom_score_adj", "w") as adjusted:
    adjusted.write("-1000")  # the workload may go, this must not
os.chdir("..")  # paths of sockets are short
with suppress(FileNotFoundError):
    os.unlink("pages.socket")
listening = socket.socket(socket.AF_UNIX)
listening.bind("pages.socket")
listening.listen(4)
os.chdir("checkpoint")
serve(pages, ours, listening)
