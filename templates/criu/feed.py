# feed.py: the way to the source, over which pages arrive. For serve.py; transfer-feed.sh is at the other end, and
# transfer-receive.sh hands it over at `pages.socket`. Each frame has a sum; what is missing is asked for out of order.
import fcntl
import socket
import zlib

FRAME, WORD = struct.Struct("<IIQI"), struct.Struct("<4sIQQ")
LONGEST = 1 << 20
AHEAD = 16  # pages asked for at a fault
PIPE_SIZE = 1031  # F_SETPIPE_SZ


class Feed:
    """The way to the source. One at a time: a new one takes the place of the last."""

    def __init__(self, pages, relay, ends):
        self.input, self.output = struct.unpack("ii", ends)
        self.relay, self.pages, self.asked = relay, pages, {}
        self.room, self.have = memoryview(bytearray(2 * LONGEST)), 0
        self.owed = bytearray()
        os.set_blocking(self.output, False)  # tasks are served, too, while nobody reads it
        with suppress(OSError):  # it may be none, or have no more
            fcntl.fcntl(self.input, PIPE_SIZE, LONGEST)
        for gap in pages.gaps():
            self.say(b"need", *gap)

    def say(self, word, number=0, at=0, length=0):
        self.owed += WORD.pack(word, number, at, length)
        self.flush()

    def flush(self):
        with suppress(BlockingIOError):
            while self.owed:
                del self.owed[: os.write(self.output, self.owed)]

    def want(self, number, at, count):
        """What a task waits for, and a little more, once."""
        asked = self.asked.setdefault(number, set())
        if at not in asked:
            asked.add(at)
            length = min(max(count, AHEAD), 4 * AHEAD) * PAGE
            self.say(b"want", number, at, min(length, len(self.pages.here[number]) * PAGE - at))

    def take(self):
        """Whatever has come: the parts, as number, place and length. Empty: the other end has gone."""
        got = os.readv(self.input, [self.room[self.have :]])
        self.have += got
        done, parts = 0, []
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
                parts.append((number, at, length))
            else:
                self.asked.pop(number, None)
                self.say(b"need", number, at, length)
            self.say(b"ack ", length=length)
            done = end
        if done:
            self.room[: self.have - done] = self.room[done : self.have]
            self.have -= done
        return parts if got else None

    def close(self):
        """Whoever handed it over notices."""
        for end in (self.input, self.output):
            os.close(end)
        self.relay.close()


class Source:
    """The source, while somebody feeds from there; what fails on the way to it ends that feed alone."""

    def __init__(self, pages, listening):
        self.pages, self.listening, self.feed, self.going = pages, listening, None, False

    def inputs(self):
        return [self.listening.fileno()] + ([self.feed.input] if self.feed else [])

    def outputs(self):
        return [self.feed.output] if self.feed and self.feed.owed else []

    def drop(self):
        if self.feed:
            self.feed.close()
        self.feed, self.going = None, False

    def meet(self, caller):
        _, ancillary, _, _ = caller.recvmsg(1, socket.CMSG_SPACE(8))
        self.drop()
        self.feed = Feed(self.pages, caller, ancillary[0][2])

    def attend(self, ready, restored, wanted):
        """Which parts have come. `wanted`: what tasks wait for that is not here, as number, place and count."""
        parts = []
        try:
            if self.listening.fileno() in ready:
                self.meet(self.listening.accept()[0])
            elif self.feed and self.feed.input in ready:
                parts = self.feed.take()
                if parts is None:
                    self.drop()
            if self.feed and restored and not self.going:
                self.feed.say(b"go  ")
                self.going = True
            for place in wanted if self.feed else ():
                self.feed.want(*place)
            if self.feed:
                self.feed.flush()
        except (OSError, ValueError, IndexError, struct.error) as error:
            print("the feed was dropped: %s" % error, file=sys.stderr, flush=True)
            self.drop()
        return parts or []

    def end(self):
        if self.feed:
            with suppress(OSError):
                self.feed.say(b"end ")
