# freezer.py: keeps tasks from running while it is heard that one of them was forked. For serve.py.
#
# A child runs as soon as the kernel has told of it, and has its memory by a userfaultfd that only who read that has: were
# that process killed right then, the child would read zeros. So while a task may be in a fork, all of them are frozen by
# their cgroup until the keeper has that descriptor, too. Should both be killed meanwhile, they stay frozen.
import re

FORKS = {"x86_64": ("56", "57", "58", "435"), "aarch64": ("220", "435")}
CGROUPS = os.environ.get("RECONCILER_CGROUPS", "/sys/fs/cgroup")


class Freezer:
    """Of tasks whose cgroup's path has this pattern; without one, or where cgroups cannot freeze, it does nothing."""

    def __init__(self, pattern):
        self.pattern, self.cgroup = pattern, None
        self.forks = FORKS.get(os.uname().machine, ())
        self.flag = os.memfd_create("frozen")  # outlives who freezes
        os.ftruncate(self.flag, 1)

    def find(self):
        """When the tasks are there."""
        for here, folders, files in os.walk(CGROUPS) if self.pattern else ():
            if re.search(self.pattern, here[len(CGROUPS) :]):
                folders.clear()
                if "cgroup.freeze" in files:
                    self.cgroup = here
                    return

    def is_next(self, fd):
        """Whether what is read next of a userfaultfd may be that a task was forked: it tells of faults first."""
        if not self.cgroup or not ready_of(0, [fd]):
            return False
        with open("/proc/self/fdinfo/%d" % fd) as info:
            return not any(line.startswith("pending:") and line.split()[1] != "0" for line in info) and self.may_fork()

    def may_fork(self):
        """Whether a task may be in a fork: one that is waited for is in that call, and who runs is not known."""
        for here, _, _ in os.walk(self.cgroup):
            with suppress(OSError), open(here + "/cgroup.threads") as threads:
                for one in threads:
                    try:
                        with open("/proc/%s/syscall" % one.strip()) as call:
                            if call.read().partition(" ")[0].strip() in (*self.forks, "running"):
                                return True
                    except OSError:
                        continue  # it has ended
        return False

    def set(self, word):
        with open(self.cgroup + "/cgroup.freeze", "w") as freeze:
            freeze.write(word)

    def freeze(self):
        try:
            with open(self.cgroup + "/cgroup.freeze") as frozen:
                if frozen.read().strip() != "0":
                    return  # somebody else has them frozen
            os.pwrite(self.flag, b"\1", 0)
            self.set("1")
        except OSError:  # they have ended
            self.thaw()

    def thaw(self):
        """What this process, or the one before it, has frozen."""
        if os.pread(self.flag, 1, 0) == b"\1":
            with suppress(OSError):
                self.set("0")
            os.pwrite(self.flag, b"\0", 0)
