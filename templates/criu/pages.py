# pages.py: the files of pages of a folder of images on the destination, while they arrive. For serve.py.
# include pagemap.py
from contextlib import suppress


class Stopped(Exception):
    """Memory cannot follow any more, and why."""


class Pages:
    """Files of pages, and which pages of them have arrived. That is noted in memory that outlives who serves them."""

    def __init__(self):
        with open("first", "rb") as first:
            head = json.loads(first.readline())
            self.files, self.here, self.noted = {}, {}, {}
            os.close(os.open("partial", os.O_WRONLY | os.O_CREAT, 0o600))
            with open("/proc/sys/kernel/random/boot_id") as now, open("boot", "w") as boot:
                boot.write(now.read())  # as split.py does
            for name, size in head["sizes"].items():
                number = int(name)
                self.files[number] = os.open("pages-%d.img" % number, os.O_RDWR | os.O_CREAT, 0o600)
                os.ftruncate(self.files[number], size)
                self.here[number] = bytearray(size // PAGE)
                self.noted[number] = os.memfd_create("arrived")
                os.ftruncate(self.noted[number], size // PAGE)
            self.missing = sum(len(here) for here in self.here.values())
            for number, at, length in head["parts"]:
                part = first.read(length)
                if len(part) != length:
                    raise Stopped("the file `first` is cut short")
                self.write(number, at, part)
        self.note()
        self.tasks = layout()[0]

    def again(self):
        """What had arrived when the one before this process ended."""
        for number, here in self.here.items():
            here[:] = os.pread(self.noted[number], len(here), 0)
        self.missing = sum(here.count(0) for here in self.here.values())
        self.note()

    def close(self):
        for file in self.files.values():
            os.close(file)

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
                raise Stopped("pages-%d.img cannot be written: %s" % (number, error)) from error
            view, at = view[written:], at + written
        os.pwrite(self.noted[number], b"\1" * (end - begin), begin)
        self.missing -= here.count(0, begin, end)
        here[begin:end] = b"\1" * (end - begin)
        self.note()

    def gaps(self):
        """What is missing, as number, place and length."""
        for number, here in sorted(self.here.items()):
            begin = here.find(0)
            while begin >= 0:
                end = here.find(1, begin)
                end = len(here) if end < 0 else end
                yield number, begin * PAGE, (end - begin) * PAGE
                begin = here.find(0, end)
