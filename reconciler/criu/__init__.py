"""CRIU on a host, for every runtime whose moves are its dumps and restores: configuration, rooms for images, the
hold, rounds of memory, the restore with memory that follows, and the end of it.

Excludes: which command dumps and restores. A runtime says that, and by `Tasks` whose processes they are. Nothing
here knows an engine; everything is a `Program`."""
