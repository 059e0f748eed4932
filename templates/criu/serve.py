# serve.py lazy-pages [CGROUP] HOME: stands where CRIU's page daemon does (criu/uffd.c), for memory that follows from another host. It
# takes the userfaultfds of what CRIU restores at HOME/lazy-pages.socket, and puts pages in place as they arrive in
# HOME/checkpoint, first what a task waits for. A page that has not come, or whose sum is wrong, is never put in place: who
# wants it waits.
#
# It is two processes. The *keeper* (keeper.pid) holds the userfaultfds as well: when the last holder of one is gone, the
# kernel gives zeros for what is missing. When the page server (lazy-pages.pid) ends before it is through, the keeper makes
# another one, which goes on; when the keeper ends, the server makes another one. Should both be killed at once, a *spare*
# that only waits for that becomes the keeper. When nothing can go on, `lazy-pages.status` says so, and tasks wait until
# they are ended. CGROUP: a pattern of the path of the tasks' cgroup.
# include pages.py
# include feed.py
# include faults.py
# include freezer.py
import select

FINISHED = 0x52535446  # what CRIU says when tasks are about to run
RESTORE = 900.0  # seconds that somebody may take to begin a restore
GO_AT_LAST = 5.0  # seconds from then on, should nobody say that the restore is over
MOST, SOON = 20, 1.0  # page servers that may end one after the other, each in less than so many seconds
THROUGH, STOPPED, REMOVED, RESTORE_FAILED, KEEPER_ENDED = 0, 3, 4, 5, 6  # how a page server ends, or what it is ended for
SAID = struct.Struct("=cIi")


def put(name, text):
    """For others, and whole: in the folder above the images."""
    new = "../%s.%d" % (name, os.getpid())
    with open(new, "w") as out:
        out.write("%s\n" % text)
    os.rename(new, "../" + name)


def noted():
    """Who ends these processes takes their notes away first."""
    return os.path.exists("../lazy-pages.pid") and os.path.exists("../keeper.pid")


def ready_of(milliseconds, inputs, outputs=()):
    """Which of these descriptors can be read, or written to, within that time. They may be more than `select` takes."""
    asked = select.poll()
    for one in inputs:
        asked.register(one, select.POLLIN)
    for one in outputs:
        asked.register(one, select.POLLOUT)
    return {one for one, _ in asked.poll(milliseconds)}


def tell(whom, word, number=0, other=0, fd=None):
    packed = [] if fd is None else [(socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack("i", fd))]
    with suppress(OSError):  # should it have ended, that is seen where it is listened to
        whom.sendmsg([SAID.pack(word, number, other)], packed)


def told(whom):
    """A word, two numbers, and a descriptor or None; None when the other one has ended."""
    for _ in range(2):  # the first time, it may be said instead that it left something unread
        with suppress(ConnectionResetError):
            data, packed, _, _ = whom.recvmsg(SAID.size, socket.CMSG_SPACE(4))
            return (*SAID.unpack(data), struct.unpack("i", packed[0][2])[0] if packed else None) if data else None
    return None


class Woken(Exception):
    """In the spare, when keeper and page server have gone."""


class Keeper:
    """Holds what must outlive a page server: userfaultfds of tasks, as PID and descriptor by number (-1: it has ended),
    what was read of them, and whether the restore is over."""

    def __init__(self, pages, caller, listening):
        self.pages, self.notes, self.held, self.over = pages, Notes(), {}, False
        self.freezer = Freezer(sys.argv[-2] if len(sys.argv) > 3 else "")
        self.caller, self.listening = caller, listening  # where CRIU comes to, and who brings the way to the source
        self.restorer, self.until = None, time.monotonic() + RESTORE
        self.alarm, self.has_spare = os.pipe(), False  # its second end is closed when keeper and page server have gone

    def keep(self):
        """Make page servers until one is through. Returns in each of them, with what leads to the keeper."""
        quick = 0
        while True:  # ends by `through`, `fail`, or as the page server
            while self.over and not self.has_spare:  # who is woken in there needs one, too
                with suppress(Woken):
                    self.make_spare()
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            page_server = os.fork()
            if not page_server:
                for end in (ours, self.caller, self.restorer):
                    if end:
                        end.close()
                self.caller = self.restorer = None
                return theirs
            theirs.close()
            put("keeper.pid", os.getpid())
            put("lazy-pages.pid", page_server)
            if self.caller and not os.path.exists("../lazy-pages.socket"):
                os.rename("../keeper.socket", "../lazy-pages.socket")
            began = time.monotonic()
            try:
                how = self.attend(page_server, ours)
            except Woken:
                continue
            finally:
                ours.close()
            quick = quick + 1 if time.monotonic() < began + SOON else 0
            if how == THROUGH:
                put("lazy-pages.status", 0)
                os._exit(0)
            if how in (STOPPED, REMOVED, RESTORE_FAILED) or quick > MOST or not noted():
                self.fail(how)
            print("the page server has ended (%d) and is started again" % how, file=sys.stderr, flush=True)
            time.sleep(0.1 if quick > 2 else 0)

    def make_spare(self, *others):
        """Returns in the keeper. `others`: what the spare must not keep open."""
        self.has_spare = True
        if os.fork():
            return
        for end in others:
            end.close()
        os.close(self.alarm[1])
        os.read(self.alarm[0], 1)
        if os.path.exists("../lazy-pages.status") or not noted():  # in this order: who removes them does it in the other
            os._exit(0)
        os.close(self.alarm[0])
        self.alarm, self.has_spare = os.pipe(), False
        raise Woken

    def attend(self, page_server, ours):
        """How it ended."""
        while True:  # ends with the page server
            ready = ready_of(500, [one.fileno() for one in (ours, self.caller, self.restorer) if one])
            if self.caller and self.caller.fileno() in ready:
                self.restorer = self.caller.accept()[0]
                self.caller.close()
                self.caller = None
            elif self.restorer and self.restorer.fileno() in ready:
                if not self.hear(ours):
                    os.kill(page_server, 9)
                    os.waitpid(page_server, 0)
                    return RESTORE_FAILED
            elif self.caller and (not noted() or time.monotonic() > self.until):
                os._exit(1)  # nothing was restored
            if ours.fileno() in ready:
                said = told(ours)
                if said is None:
                    return os.waitstatus_to_exitcode(os.waitpid(page_server, 0)[1])
                word, number, _, fd = said
                if word == b"c":
                    self.held[number] = (0, fd)
                else:
                    self.forget(number)

    def hear(self, ours):
        """What CRIU says: for each task its PID and a byte with the descriptor, or a negative PID alone; then that tasks
        are about to run. Whether all is well."""
        word = self.restorer.recv(4, socket.MSG_WAITALL)
        if len(word) < 4:
            return False
        (pid,) = struct.unpack("=i", word)
        if pid == FINISHED:
            self.over = True
            self.restorer.close()
            self.restorer = None
            self.make_spare(ours)
            tell(ours, b"o")
        elif pid > 0:
            _, packed, _, _ = self.restorer.recvmsg(1, socket.CMSG_SPACE(4), socket.MSG_WAITALL)
            if not packed or pid not in self.pages.tasks:
                return False
            number, (fd,) = len(self.held), struct.unpack("i", packed[0][2])
            self.held[number] = (pid, fd)
            tell(ours, b"t", number, pid, fd)
        return True

    def forget(self, number):
        pid, fd = self.held[number]
        if fd >= 0:
            os.close(fd)
        self.held[number] = (pid, -1)

    def fail(self, how):
        """Memory that is missing never comes. Tasks wait for it until they are ended, and are kept off zeros so long."""
        if noted():
            put("lazy-pages.status", how or 1)
        if self.restorer:
            self.restorer.shutdown(socket.SHUT_RDWR)  # or they would wait before they are whole
        self.listening.close()
        self.pages.close()
        os.chdir("/")
        while any(fd >= 0 and not ended(fd) for _, fd in self.held.values()):  # ends with the tasks
            time.sleep(0.2)
        os._exit(1)


class PageServer:
    """Puts memory in place, by number of the task."""

    def __init__(self, keeper, channel):
        self.keeper, self.pages, self.notes, self.channel = keeper, keeper.pages, keeper.notes, channel
        self.memories, self.over, self.restored = {}, None, False  # over: since when the restore is
        self.source = Source(self.pages, keeper.listening)
        self.pages.again()
        for number, (pid, fd) in keeper.held.items():
            if number < CHILD:
                self.begin(number, pid, fd)
        for number, said, note in self.notes.replay():
            self.learn(number, said, note, replay=True)
        if keeper.over:
            self.go_over()
            keeper.freezer.thaw()
        for memory in self.memories.values():
            memory.wake_all()

    def begin(self, number, pid, fd):
        sizes = {file: len(here) for file, here in self.pages.here.items()}
        self.memories[number] = Memory(fd, self.pages.tasks[pid], sizes)
        self.memories[number].gone = fd < 0

    def go_over(self):
        """Tasks are whole: what is here may be put in place."""
        self.over = time.monotonic()
        self.keeper.freezer.find()
        for memory in self.memories.values():
            for number, here in self.pages.here.items():
                memory.fill(self.pages, number, 0, len(here), True)

    def learn(self, number, said, note, replay=False):
        memory = self.memories[number]
        kind, one, two, three = MESSAGE.unpack(said)
        if kind == FAULT:
            memory.waits.setdefault(two & -PAGE, time.monotonic())
        elif kind == REMAP:
            memory.move(one, two, three)
        elif kind in (REMOVE, UNMAP):
            memory.drop(one, two)
        elif kind == FORK:
            child = CHILD + note
            if replay and child not in self.keeper.held:
                raise Stopped("the page server was killed while a process was forked")
            fd = self.keeper.held[child][1] if replay else struct.unpack_from("=I", said, 8)[0]
            self.memories[child] = memory.child(fd)
            self.memories[child].gone = fd < 0
            if not replay:
                self.keeper.held[child] = (0, fd)
                tell(self.channel, b"c", child, 0, fd)

    def listen(self, number, memory):
        """What a task waits for, and how its memory changes. Not for long, for others wait too."""
        for _ in range(64):
            if self.keeper.freezer.is_next(memory.fd):
                self.keeper.freezer.freeze()
            try:
                said, note = self.notes.read(number, memory.fd)
            except OSError as error:
                if ended(memory.fd):
                    self.keeper.freezer.thaw()
                    return
                raise Stopped("a userfaultfd cannot be read: %s" % error) from error
            if said:
                self.learn(number, said, note)
            self.keeper.freezer.thaw()
            if not said:
                return

    def hear(self):
        """The keeper. Whether it has not ended."""
        said = told(self.channel)
        if said is None:
            self.channel.close()
            self.source.drop()
            return False
        word, number, pid, fd = said
        if word == b"o":
            self.keeper.over = self.keeper.has_spare = True
            self.go_over()
        else:
            self.keeper.held[number] = (pid, fd)
            self.begin(number, pid, fd)
        return True

    def look(self):
        """What has ended is let go."""
        for number, memory in self.memories.items():
            if memory.fd >= 0 and self.keeper.held[number][1] >= 0 and (memory.gone or ended(memory.fd)):
                memory.gone = True
                self.keeper.forget(number)
                tell(self.channel, b"g", number)
        self.restored = self.restored or os.path.exists("../pages/go") or self.over + GO_AT_LAST < time.monotonic()

    def run(self):
        left, looked, pause = open("../pages.left", "wb", 0), 0.0, 0
        while True:  # ends when all is in place or has ended, or with the notes of this process
            now = time.monotonic()
            if now > looked + 0.2 or not self.restored:
                looked = now
                waits = min((since for one in self.memories.values() for since in one.waits.values()), default=now)
                os.pwrite(left.fileno(), b"%20d %9d\n" % (self.pages.missing * PAGE, now - waits), 0)
                if not noted():
                    return REMOVED
                if self.over:
                    self.look()
            alive = {memory.fd: number for number, memory in self.memories.items() if not memory.gone}
            if self.over and not any(self.memories[number].count for number in alive.values()):
                self.source.end()
                return THROUGH
            inputs = (self.channel.fileno(), *self.source.inputs(), *alive)
            ready = ready_of(pause, inputs, self.source.outputs())
            if self.channel.fileno() in ready and not self.hear():
                return KEEPER_ENDED if self.keeper.over and noted() else REMOVED
            for fd in ready & set(alive):
                self.listen(alive[fd], self.memories[alive[fd]])
            pause = self.answer(ready)

    def answer(self, ready):
        """Put in place what can be, and ask for what is waited for. For how many milliseconds there is nothing to do."""
        memories = [memory for memory in self.memories.values() if not memory.gone]
        wanted = [place for memory in memories for place in memory.serve(self.pages, bool(self.over))]
        parts = self.source.attend(ready, self.restored, wanted)
        for number, at, length in parts if self.over else ():
            for memory in memories:
                memory.fill(self.pages, number, at // PAGE, (at + length) // PAGE, True)
        if parts and wanted:
            return 0
        if any(memory.later or len(memory.waits) > len(wanted) for memory in memories):
            return 1  # a task changes its memory
        return 200 if self.source.going else 10


home = sys.argv[-1]
os.chdir(home)  # paths of sockets are short
with suppress(OSError), open("/proc/self/oom_score_adj", "w") as adjusted:
    adjusted.write("-1000")  # the workload may go, this must not
for name in ("keeper.socket", "lazy-pages.socket", "pages.socket"):
    with suppress(FileNotFoundError):
        os.unlink(name)
listening, caller = socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX)
listening.bind("pages.socket")
listening.listen(4)
caller.bind("keeper.socket")
caller.listen(1)
os.chdir("checkpoint")
put("keeper.pid", os.getpid())
put("lazy-pages.pid", os.getpid())
try:
    keeper = Keeper(Pages(), caller, listening)
    how = KEEPER_ENDED
    while how == KEEPER_ENDED:  # this process is the keeper then
        how = PageServer(keeper, keeper.keep()).run()
except Stopped as stopped:
    print(stopped, file=sys.stderr, flush=True)
    how = STOPPED
except BaseException:
    import traceback

    traceback.print_exc()
    how = 1
sys.stderr.flush()
os._exit(how)
