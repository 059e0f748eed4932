"""What is done to a lab's hosts, by name, from the controller's process at a boundary or before it starts; and how
all of it is made good again."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress

from reconciler.errors import ReconcilerError
from reconciler.lab import Lab
from tests.faults.lies import HONEST, lie

Blow = Callable[[Lab, str, str], None]

CRIU = "/usr/sbin/criu"
BROKEN_CRIU = """#!/bin/sh
case $1 in swrk | dump | restore) echo 'this CRIU was broken on purpose' >&2; exit 1 ;; esac
exec /usr/sbin/criu.real "$@"
"""
DD_THAT_DAMAGES = """#!/bin/sh
/usr/bin/dd "$@"
status=$?
for word; do
    case $word in
    of=pages-*.img)
        if [ -e /run/damage ]; then
            [ "$(cat /run/damage)" = once ] && rm -f /run/damage
            HOW "${word#of=}"
        fi ;;
    esac
done
exit $status
"""
DAMAGE = {
    "truncate": "truncate -s -4096",
    "change": "/usr/bin/dd if=/dev/urandom bs=4096 count=1 seek=3 conv=notrunc status=none of",
}

EARLY = "/run/kill-early"
KILL_EARLY = r"""
# Its log says so, in the folder that Podman gives it; a slower CRIU leaves the time to read that. Without forks:
# on a busy machine the images would be complete before.
my $end = time + 60;
my $criu;
while (time < $end) {
    for my $file ($criu ? () : glob "/proc/[0-9]*/comm") {
        open my $comm, "<", $file or next;
        my ($pid) = $file =~ m{(\d+)};
        $criu = $pid if <$comm> eq "criu\n" && dumps($pid);
    }
    for my $log ($criu ? glob("/var/lib/containers/storage/overlay-containers/*/userdata/dump.log") : ()) {
        local $/;
        open my $text, "<", $log or next;
        next unless <$text> =~ /Turning repair on/;
        kill "SIGNAL", $criu;
        exit;
    }
    select undef, undef, undef, $criu ? 0.0005 : 0.005;
}
sub dumps { # others look whether it works, and which version it is
    open my $asked, "<", "/proc/$_[0]/cmdline" or return;
    return <$asked> =~ /dump/;
}
"""

KILL_PAGES = """
# As soon as it serves; the restore fails, or tasks stop at the first page that is missing.
cd /var/lib/containers/storage/overlay-containers || exit
for round in $(seq 3000); do
    for folder in */userdata; do
        [ ! -S "$folder/lazy-pages.socket" ] || { WAITkill -9 "$(cat "$folder/lazy-pages.pid")"; exit; }
    done
    sleep 0.005
done
"""

FAIL_RESTORED = """#!/bin/sh
/usr/bin/podman "$@"
status=$?
case $* in 'container restore '*) echo 'Error: failed on purpose, after its tasks ran' >&2; exit 125 ;; esac
exit $status
"""

COUNTER_PIDS = 'for d in /proc/[0-9]*; do [ "$(cat $d/comm 2>/dev/null)" = counter ] && echo ${d#/proc/}; done'

REPAIR = """
[ ! -e /usr/sbin/criu.real ] || mv -f /usr/sbin/criu.real /usr/sbin/criu
rm -f /usr/local/bin/dd /usr/local/bin/podman /run/damage /var/lib/reconciler/filler
tc qdisc del dev e0 root 2>/dev/null; true
"""
LARGE_DISK = """
grep -q ' /var/lib/reconciler tmpfs' /proc/mounts || exit 0
mkdir -p /run/saved && cp -a /var/lib/reconciler/. /run/saved/
umount -l /var/lib/reconciler
find /var/lib/reconciler -mindepth 1 -delete
cp -a /run/saved/. /var/lib/reconciler/ && rm -rf /run/saved
"""


def kill_sshd(lab: Lab, host: str, argument: str) -> None:
    lab.kill_sshd(host)


def cut(lab: Lab, host: str, argument: str) -> None:
    """Pull the cable; with an argument, plug it in again after so many seconds."""
    lab.set_link(host, False)
    if argument:

        def plug() -> None:
            time.sleep(float(argument))
            with suppress(ReconcilerError):
                lab.set_link(host, True)

        threading.Thread(target=plug, daemon=True).start()


def power_off(lab: Lab, host: str, argument: str) -> None:
    lab.kill_host(host)


def reboot(lab: Lab, host: str, argument: str) -> None:
    lab.reboot(host)


def power_cut(lab: Lab, host: str, argument: str) -> None:
    """It answers clients for a moment more, then it is gone without a word, and comes up again unplugged."""
    time.sleep(0.5)
    lab.set_link(host, False)
    lab.reboot(host)
    lab.set_link(host, False)


def break_criu(lab: Lab, host: str, argument: str) -> None:
    _script(lab, host, f"mv {CRIU} {CRIU}.real; cat > {CRIU}; chmod 755 {CRIU}", BROKEN_CRIU)


def damage(lab: Lab, host: str, argument: str) -> None:
    """What arrives is damaged: `truncate once`, `change always`."""
    how, times = argument.split()
    text = DD_THAT_DAMAGES.replace("HOW ", f"{DAMAGE[how]}{'=' if how == 'change' else ' '}")
    _script(lab, host, f"echo {times} > /run/damage; cat > /usr/local/bin/dd; chmod 755 /usr/local/bin/dd", text)


def fill_images(lab: Lab, host: str, argument: str) -> None:
    """The memory for images is full."""
    script = """awk '/userdata.checkpoint/{print $2}' /proc/mounts | xargs -r -n 1 mount -o remount,size=64k"""
    _script(lab, host, script)


def small_disk(lab: Lab, host: str, argument: str) -> None:
    """Reconciler's own folder is on a small disk from now on."""
    _script(
        lab,
        host,
        "mkdir -p /run/saved && cp -a /var/lib/reconciler/. /run/saved/ && mount -t tmpfs -o size=4m,mode=700"
        " tmpfs /var/lib/reconciler && cp -a /run/saved/. /var/lib/reconciler/ && rm -rf /run/saved",
    )


def fill_disk(lab: Lab, host: str, argument: str) -> None:
    """... and now it is full."""
    _script(lab, host, "dd if=/dev/zero of=/var/lib/reconciler/filler bs=4k 2>/dev/null; true")


def kill_app(lab: Lab, host: str, argument: str) -> None:
    """The application crashes."""
    _script(lab, host, f"{COUNTER_PIDS} | xargs -r kill -9")


def kill_criu(lab: Lab, host: str, argument: str) -> None:
    """Whoever keeps the source frozen is killed."""
    _script(lab, host, "pkill -9 -x criu; true")


def kill_criu_early(lab: Lab, host: str, argument: str) -> None:
    """As soon as it has stopped a connection in the coming dump, long before its images are complete. Or it gets
    another signal, as STOP."""
    _script(lab, host, f"cat > {EARLY}", KILL_EARLY.replace("SIGNAL", argument or "KILL"))
    _script(lab, host, f"setsid perl {EARLY} </dev/null >/dev/null 2>&1 &")


def kill_pages(lab: Lab, host: str, argument: str) -> None:
    """The daemon that serves memory pages, in the coming restore, or so many seconds into it."""
    text = KILL_PAGES.replace("WAIT", f"sleep {argument}; " if argument else "")
    _script(lab, host, "cat > /run/kill-pages", text)
    _script(lab, host, "setsid sh /run/kill-pages </dev/null >/dev/null 2>&1 &")


def stop_pages(lab: Lab, host: str, argument: str) -> None:
    """The daemon that serves memory pages stands still for so many seconds of the coming restore."""
    stops = 'kill -STOP "$(cat "$folder/lazy-pages.pid")"; '
    text = KILL_PAGES.replace("WAITkill -9", f"{stops}sleep {argument}; kill -CONT")
    _script(lab, host, "cat > /run/kill-pages", text)
    _script(lab, host, "setsid sh /run/kill-pages </dev/null >/dev/null 2>&1 &")


HOME = "cd /var/lib/containers/storage/overlay-containers/*/userdata &&"
SERVING = {
    "page-server": f"{HOME} kill -9 $(cat lazy-pages.pid)",
    "keeper": f"{HOME} kill -9 $(cat keeper.pid)",
    "page-server and keeper": f"{HOME} kill -9 $(cat lazy-pages.pid keeper.pid)",
    "relay": "pkill -9 -f '[t]here.connect'",
    "connection": "pkill -9 -f '[l]ink feed 1 none'",
    "feed": "pkill -9 -f '[a]cknowledged'",
    "feed's script": "pkill -9 -f '[t]ransfer-feed'",
    "who writes it to disk": f"{HOME} {{ kill -9 $(cat persist.pid) || grep whole persisted/sums; }}",
}


def until_left(lab: Lab, host: str, argument: str) -> None:
    """Not a blow: wait until no more than this part of a workload's memory is missing on a host."""
    script = f"""{HOME} read -r all _ <pages.left
        for round in $(seq 1000); do
            read -r left _ <pages.left && [ $left -le $((all * PERCENT / 100)) ] && exit
            sleep 0.02
        done; exit 1"""
    percent = round(float(argument) * 100)
    lab.exec(host, ["sh", "-c", script.replace("PERCENT", str(percent))])


def until_on_disk(lab: Lab, host: str, argument: str) -> None:
    """Not a blow: wait until so much of a source's images is on its disk, as a part; empty: all."""
    there = f"[ $((there * 100)) -ge $((all * {round(float(argument or 1) * 100)})) ] && exit"
    look = f"read -r there all <persist.disk && {there}; sleep 0.02"
    lab.exec(host, ["sh", "-c", f"{HOME} for round in $(seq 1500); do {look}; done 2>/dev/null; exit 1"])


def fill_room(lab: Lab, host: str, argument: str) -> None:
    """The memory for images has room for a little more than is in it."""
    script = """awk '/userdata.checkpoint/{print $2}' /proc/mounts | while read -r folder; do
        used=$(df -k --output=used "$folder" | tail -n 1)
        mount -o remount,size=$((used + 512))k "$folder" || exit
    done"""
    _script(lab, host, script)


def kill_serving(lab: Lab, host: str, argument: str) -> None:
    """One of those who serve or carry memory that follows."""
    lab.exec(host, ["sh", "-c", SERVING[argument]])


def stop_serving(lab: Lab, host: str, argument: str) -> None:
    """The page server stands still for so many seconds."""
    goes_on = f"(sleep {argument}; kill -CONT $pid) </dev/null >/dev/null 2>&1 &"
    lab.exec(host, ["sh", "-c", f"{HOME} pid=$(cat lazy-pages.pid) && kill -STOP $pid && {goes_on}"])


def kill_hook(lab: Lab, host: str, argument: str) -> None:
    _script(lab, host, "pkill -9 -f '[w]orkloads/counter/hook.sh$'; true")


def hang_podman(lab: Lab, host: str, argument: str) -> None:
    """Podman takes commands there and never answers."""
    _script(
        lab, host, "printf '#!/bin/sh\nexec sleep 1000\n' > /usr/local/bin/podman; chmod 755 /usr/local/bin/podman"
    )


def fail_restored(lab: Lab, host: str, argument: str) -> None:
    """Podman says that the coming restore has failed, although its tasks run."""
    _script(lab, host, "cat > /usr/local/bin/podman; chmod 755 /usr/local/bin/podman", FAIL_RESTORED)


def strange_container(lab: Lab, host: str, argument: str) -> None:
    """Somebody makes a container of the workload's name."""
    make = "podman create --name counter localhost/reconciler-demo:1 sleep 9"
    _script(lab, host, f"podman rm -f -t 0 counter; {make}")


def strange_volume(lab: Lab, host: str, argument: str) -> None:
    """Somebody makes a volume of that name, with a file in it."""
    _script(
        lab,
        host,
        f"touch $(podman volume inspect -f '{{{{.Mountpoint}}}}' $(podman volume create {argument}))/his",
    )


def stuck_removing(lab: Lab, host: str, argument: str) -> None:
    """A removal of the workload's container fails half-way: its folder is busy."""
    _script(
        lab,
        host,
        "d=$(podman inspect -f '{{.StaticDir}}' counter); mkdir $d/busy; mount -t tmpfs tmpfs $d/busy;"
        " podman rm -f -t 0 counter; podman ps -a --format '{{.State}}' > /run/stuck;"
        " (sleep 20; umount $d/busy) </dev/null >/dev/null 2>&1 &",
    )


def podman(lab: Lab, host: str, argument: str) -> None:
    """A person types this at a host; it may have to wait for Podman's lock, and goes on while the move does."""
    _script(lab, host, "cat > /run/typed", argument)
    _script(lab, host, "setsid sh /run/typed </dev/null >/run/typed.out 2>&1 & sleep 0.4")


def kube_generate(lab: Lab, host: str, argument: str) -> None:
    """A person has written down what the workload's container is like."""
    _script(lab, host, "podman kube generate counter >/run/generated.yaml")


def expire_leases(lab: Lab, host: str, argument: str) -> None:
    """As if the time of a silent controller's lease had passed."""
    _script(lab, host, "rm -f /var/lib/reconciler/workloads/reconciler/lease.*")


def other_release(lab: Lab, host: str, argument: str) -> None:
    """What is installed is another release's."""
    _script(
        lab, host, "cd /var/lib/reconciler/bin && for f in guard-*.sh; do mv -f $f guard-0123456789ab.sh; done"
    )


def tear_marker(lab: Lab, host: str, argument: str) -> None:
    _script(lab, host, "truncate -s 60 /var/lib/reconciler/workloads/counter/marker")


def remove_marker(lab: Lab, host: str, argument: str) -> None:
    _script(lab, host, "rm -f /var/lib/reconciler/workloads/counter/marker")


BLOWS: dict[str, Blow] = {
    blow.__name__: blow
    for blow in (
        kill_sshd,
        cut,
        power_off,
        reboot,
        power_cut,
        break_criu,
        damage,
        fill_images,
        small_disk,
        fill_disk,
        kill_app,
        kill_criu,
        kill_criu_early,
        kill_hook,
        until_left,
        until_on_disk,
        fill_room,
        kill_serving,
        stop_serving,
        kill_pages,
        stop_pages,
        hang_podman,
        fail_restored,
        strange_container,
        strange_volume,
        stuck_removing,
        podman,
        kube_generate,
        expire_leases,
        lie,
        other_release,
        tear_marker,
        remove_marker,
    )
}


def repair(lab: Lab) -> None:
    """All hosts run, are connected, listen, and have what was taken from them."""
    if any(host.state == "down" for host in lab.hosts):
        Lab.up(lab.name)
    for host in lab.hosts:
        lab.set_link(host.name, True)
        _script(lab, host.name, REPAIR + HONEST)
        lab.start_sshd(host.name)


UNTYPE = """
podman pod rm -f -t 0 counter-pod
podman unpause counter
podman container exists counter || podman rename typed counter
podman ps -aq --filter name='^counter$' | while read -r id; do
    case $(podman inspect -f '{{.Config.Labels}}' $id) in *reconciler*) ;; *) podman rm -f -t 0 $id ;; esac
done
for name in $(podman volume ls -q); do # kept where somebody has changed what is in it
    [ ! -e "$(podman volume inspect -f '{{.Mountpoint}}' $name)/his" ] || podman volume rm $name
done
true
"""


def untype(lab: Lab) -> None:
    """Take back what a person has typed, as the program's refusals advise."""
    for host in lab.hosts:
        _script(lab, host.name, f"( {UNTYPE} ) >/dev/null 2>&1")


def large_disks(lab: Lab) -> None:
    """Take away what `small_disk` made. Only while nothing is held: a hook would keep to the old folder."""
    for host in lab.hosts:
        _script(lab, host.name, LARGE_DISK)


def _script(lab: Lab, host: str, script: str, text: str = "") -> None:
    lab.exec(host, ["sh", "-c", script], input=text)
