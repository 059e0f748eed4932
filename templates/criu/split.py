# split.py FOLDER: write down, in the file `first` of a folder of images, the pages that a restore needs before tasks run,
# so that they travel with all that is not pages. The others follow (serve.py). Its head is one line of JSON.
# include pagemap.py
os.chdir(sys.argv[1])
_, sizes, first = layout()
for number, size in sizes.items():
    # A file that is longer has pages of which no map says where they belong.
    if os.stat("pages-%d.img" % number).st_size != size:
        sys.exit("pages-%d.img is not as long as its map says" % number)
with open(os.open("first.new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
    out.write(json.dumps({"sizes": sizes, "parts": first}).encode() + b"\n")
    out.flush()
    for number, at, length in first:
        pages = os.open("pages-%d.img" % number, os.O_RDONLY)
        while length:  # ends with the part, or fails where there is less
            sent = os.sendfile(out.fileno(), pages, at, length)
            if not sent:
                sys.exit("pages-%d.img has become shorter" % number)
            at, length = at + sent, length - sent
        os.close(pages)
with open("/proc/sys/kernel/random/boot_id") as now, open("boot", "w") as boot:
    boot.write(now.read())  # in the next one, what is on disk may not have been written to its end (persisting.sh)
os.rename("first.new", "first")
