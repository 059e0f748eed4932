"""One file per runtime. Drivers do no I/O: they yield Commands and receive Results."""
