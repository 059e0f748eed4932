# pagemap.py: what CRIU's maps of memory pages say of where pages are in its files. For split.py and serve.py.
import json
import os
import re
import struct
import sys

PAGE = 4096
LAZY, PRESENT = 2, 4  # as in CRIU's criu/include/pagemap.h


def fields(data):
    """The numbers of a flat message of protobuf, by field."""
    at, found = 0, {}

    def number():
        nonlocal at
        value = shift = 0
        while True:  # ends by a byte without its highest bit, or the end of the data
            byte = data[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    while at < len(data):
        key = number()
        if key & 7 == 0:
            found[key >> 3] = number()
        elif key & 7 == 2:
            at += number()
        else:
            raise ValueError("not a map of pages")
    return found


def entries(path):
    """The entries of an image of CRIU, behind its two magic numbers."""
    with open(path, "rb") as image:
        data = image.read()
    at = 8
    while at < len(data):
        (size,) = struct.unpack_from("<I", data, at)
        yield fields(data[at + 4 : at + 4 + size])
        at += 4 + size


def layout():
    """Of the images in this folder: by task the runs of pages that are here, as address, count, number of the file
    and place in it; by file its length; and what must be there before a restore, as file, place and length."""
    tasks, sizes, first = {}, {}, []
    for name in sorted(os.listdir(".")):
        known = re.fullmatch(r"pagemap-(shmem-)?([0-9]+)\.img", name)
        if not known:
            continue
        head, *runs = entries(name)
        number, at, here = head.get(1, 0), 0, []
        for run in runs:
            count, flags = run.get(5) or run.get(2, 0), run.get(4, PRESENT)
            if not flags & PRESENT:
                continue
            here.append((run[1], count, number, at))
            if known.group(1) or not flags & LAZY:
                first.append((number, at, count * PAGE))
            at += count * PAGE
        sizes[number] = at
        if not known.group(1):
            tasks[int(known.group(2))] = here
    return tasks, sizes, first
