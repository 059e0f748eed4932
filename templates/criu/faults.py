# faults.py: memory of restored tasks, which is put in place through their userfaultfds. For serve.py.
#
# What the kernel tells of a task is read once, and told nobody again. A page that a task waits for it tells anew when
# the task is woken; but that memory was moved, dropped or inherited would be lost with a process that was killed after
# it had read so. So that is noted in memory which outlives the process, with a mark while it reads: a mark that is found
# means that nobody knows. A range that was dropped stays registered: UFFDIO_UNREGISTER, as CRIU's daemon has it, could
# come after something else was moved there.
import array
import bisect
import errno
import fcntl
import time

COPY, ZERO, WAKE, WRITEPROTECT = 0xC028AA03, 0xC020AA04, 0x8010AA02, 0xC018AA06
FAULT, FORK, REMAP, REMOVE, UNMAP = range(0x12, 0x17)
MESSAGE = struct.Struct("=B7xQQQ")
SLOT = struct.Struct("=BxxxI32s")
NOTHING, READING, NOTED = range(3)
CHILD = 1 << 20  # numbers of tasks from there on are those of their notes
LOWEST, HIGHEST = 1 << 16, (1 << 56, 1 << 52, 1 << 47, 1 << 46, 1 << 42, 1 << 39)  # of addresses, by machine
PIECE = 1 << 20


def ask(fd, request, *numbers):
    """What userfaultfd answers in its last number, and its error."""
    room = bytearray(2048)  # of up to 1024 bytes ioctl would get a copy
    struct.pack_into("=%dQ" % len(numbers), room, 0, *numbers)
    try:
        fcntl.ioctl(fd, request, room)
        code = 0
    except OSError as error:
        code = error.errno
    return struct.unpack_from("=q", room, 8 * (len(numbers) - 1))[0], code


def ended(fd):
    """Whether the memory behind it is gone, as when the task has ended."""
    return ask(fd, WRITEPROTECT, LOWEST, PAGE, 0)[1] == errno.ESRCH


class Notes:
    """What was read of tasks, by whoever has served them."""

    def __init__(self):
        self.file, self.count = os.memfd_create("notes"), 0

    def read(self, number, fd):
        """The next message, or none, and the number of its note."""
        os.pwrite(self.file, SLOT.pack(READING, number, b""), self.count * SLOT.size)
        try:
            said = os.read(fd, MESSAGE.size)
        except BlockingIOError:
            said = b""
        keep = said and said[0] != FAULT
        os.pwrite(self.file, SLOT.pack(NOTED if keep else NOTHING, number, said), self.count * SLOT.size)
        self.count += bool(keep)
        return said, self.count - 1

    def replay(self):
        """Which task, which message, and the number of the note."""
        self.count = 0
        while True:  # ends by a slot that is empty, or the end of the file
            slot = os.pread(self.file, SLOT.size, self.count * SLOT.size).ljust(SLOT.size, b"\0")
            state, number, said = SLOT.unpack(slot)
            if state == READING:
                raise Stopped("the page server was killed while it heard of a change of memory")
            if state == NOTHING:
                return
            self.count += 1
            yield number, said, self.count - 1


class Memory:
    """Memory of one task that is not all in place. `runs`: of pages, in the order of their addresses, as address, end,
    file and place in it; `places`: the same in the order of places. `left`: a byte for each page of a file that is to be
    put in place yet. `waits`: addresses that somebody waits for, and since when."""

    def __init__(self, fd, runs, sizes):
        self.fd, self.gone, self.waits, self.later = fd, False, {}, []
        self.runs = sorted((start, start + count * PAGE, number, at) for start, count, number, at in runs)
        self.places = sorted((number, at, start, end) for start, end, number, at in self.runs)
        self.left = {number: bytearray(size) for number, size in sizes.items()}
        for start, end, number, at in self.runs:
            begin, length = at // PAGE, (end - start) // PAGE
            self.left[number][begin : begin + length] = b"\1" * length
        self.count = sum(left.count(1) for left in self.left.values())

    def child(self, fd):
        """The same of a task that was forked from it."""
        made = Memory(fd, (), {})
        made.runs, made.places, made.count = list(self.runs), list(self.places), self.count
        made.left = {number: bytearray(left) for number, left in self.left.items()}
        return made

    def settle(self, number, begin, end):
        """These pages of a file are not to be put in place any more."""
        left = self.left[number]
        self.count -= left.count(1, begin, end)
        left[begin:end] = bytes(end - begin)

    def cut(self, start, end):
        """Take out what is in a range."""
        first = bisect.bisect_left(self.runs, (start,))
        first -= bool(first and self.runs[first - 1][1] > start)
        last = bisect.bisect_left(self.runs, (end,))
        taken, kept, out = self.runs[first:last], [], []
        for low, high, number, at in taken:
            if low < start:
                kept.append((low, start, number, at))
            begin, to = max(low, start), min(high, end)
            out.append((begin, to, number, at + begin - low))
            if high > end:
                kept.append((end, high, number, at + end - low))
        self.runs[first:last] = kept
        for low, high, number, at in taken:
            del self.places[bisect.bisect_left(self.places, (number, at, low, high))]
        for low, high, number, at in kept:
            bisect.insort(self.places, (number, at, low, high))
        return out

    def drop(self, start, end):
        for low, high, number, at in self.cut(start, end):
            self.settle(number, at // PAGE, (at + high - low) // PAGE)

    def move(self, start, to, length):
        moved = self.cut(start, start + length)
        self.drop(to, to + length)
        for low, high, number, at in moved:
            bisect.insort(self.runs, (low + to - start, high + to - start, number, at))
            bisect.insort(self.places, (number, at, low + to - start, high + to - start))

    def find(self, address):
        """The file and place of a page; None where there is no page of the images."""
        index = bisect.bisect_right(self.runs, (address, 1 << 64)) - 1
        if index < 0 or not self.runs[index][0] <= address < self.runs[index][1]:
            return None
        start, _, number, at = self.runs[index]
        return number, at + address - start

    def wake(self, address, length=PAGE):
        ask(self.fd, WAKE, address, length)

    def wake_all(self):
        """Who waits asks again."""
        for highest in HIGHEST:
            if not ask(self.fd, WAKE, LOWEST, highest - LOWEST - PAGE)[1]:
                return

    def copy(self, address, source, count, over):
        """Put so many pages in place, from an address of ours. How many are settled: that are in place, were, or have
        no memory any more; fewer than asked where the task changes its memory just now, or there is no memory left."""
        done = 0
        while done < count and not self.gone:
            at, most = address + done * PAGE, count - done
            got, error = ask(self.fd, COPY, at, source + done * PAGE, most * PAGE, 0, 0)
            if not error:
                return count
            if got > 0:
                done += got // PAGE
            elif error == errno.EEXIST:
                self.wake(at)
                done += 1
            elif error == errno.ENOENT and most > 1:  # several mappings, or less
                half = self.copy(at, source + done * PAGE, most // 2, over)
                done += half
                if half < most // 2:
                    return done
            elif error == errno.ENOENT and over:
                done += 1
            elif error in (errno.ESRCH, errno.ENOSPC):
                self.gone = True
            elif error in (errno.EAGAIN, errno.ENOMEM, errno.ENOENT):
                return done
            else:
                raise OSError(error, "UFFDIO_COPY")
        return done

    def fill(self, pages, number, begin, end, over, room=array.array("B", bytes(PIECE))):
        """Put what is here of a part of a file in place, unless it is. What cannot be now is kept in `later`."""
        source, left = room.buffer_info()[0], self.left[number]
        index = max(0, bisect.bisect_right(self.places, (number, begin * PAGE, 1 << 64)) - 1)
        for index in range(index, len(self.places)):
            which, at, low, high = self.places[index]
            first = at // PAGE
            if (which, first) >= (number, end) or self.gone:
                break
            last = min(end, first + (high - low) // PAGE)
            page = left.find(1, max(begin, first), last) if which == number else -1
            while page >= 0 and not self.gone:
                stop = left.find(0, page, last)
                stop = min(last if stop < 0 else stop, page + PIECE // PAGE)
                here = pages.here[number].find(0, page, stop)
                stop = stop if here < 0 else here
                if stop == page:  # not here
                    page += 1
                    page = left.find(1, page, last)
                    continue
                os.preadv(pages.files[number], [memoryview(room)[: (stop - page) * PAGE]], page * PAGE)
                done = self.copy(low + page * PAGE - at, source, stop - page, over)
                self.settle(number, page, page + done)
                if page + done < stop:
                    self.later.append((number, page + done, stop))
                page = left.find(1, stop, last)

    def zero(self, address):
        """Whether a page that is none of the images' is there now."""
        _, error = ask(self.fd, ZERO, address, PAGE, 0, 0)
        if error in (errno.EAGAIN, errno.ENOMEM):
            return False
        if error in (errno.ESRCH, errno.ENOSPC):
            self.gone = True
        elif error in (errno.EEXIST, errno.ENOENT):
            self.wake(address)
        elif error:
            raise OSError(error, "UFFDIO_ZEROPAGE")
        return True

    def serve(self, pages, over):
        """Who waits, if it can be. What is not here is returned, as number, place and count of pages."""
        later, self.later = self.later, []
        for part in later:
            self.fill(pages, *part, over)
        wanted = []
        for address in list(self.waits):
            place = self.find(address)
            if place is None:
                if self.zero(address):
                    del self.waits[address]
                continue
            number, page = place[0], place[1] // PAGE
            if not self.left[number][page]:
                self.wake(address)
                del self.waits[address]
            elif pages.here[number][page]:
                self.fill(pages, number, page, page + 1, over)
                if not self.left[number][page]:
                    del self.waits[address]
            else:
                wanted.append((number, place[1], 1))
        return wanted
