"""A host in somebody's hands: its programs answer what the next host, a file or a terminal must not get."""

from __future__ import annotations

from reconciler.hosts.scripts import script
from reconciler.lab import Lab

MARK = "pwned"
"""Stands in every lie: where it turns up on another host, the lie went."""
KEY = f"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI{'A' * 43} {MARK}"
ESCAPES = r"\033[2J\033]0;" + MARK + r"\007"

LINK = """#!/bin/sh
[ "$1" = prepare ] || exec "$0.honest" "$@"
"$0.honest" "$@" | {
LIE
}
"""
PODMAN = f"""#!/bin/sh
case "$*" in
    'container inspect '*) ;;
    *) exec /usr/bin/podman "$@" ;;
esac
/usr/bin/podman "$@" | sed 's/"Name": "counter"/"Name": "{ESCAPES}"/'
"""
LINKS = {
    "address": f"sed 's|^from .*|from 10.9.8.7\" {KEY}|'",
    "key": f"sed 's|^public .*|public {KEY} {KEY}|'",
    "terminal": f"sed 's|^from .*|from {ESCAPES}|' | sed 's/.033/\\x1b/g; s/.007/\\x07/g'",
    "megabytes": f"sed 's|^from .*|from {MARK}|'; head -c 100000000 /dev/zero | tr '\\0' x",
}
"""What is done to what a source says when a link is made."""

HONEST = """
rm -f /usr/local/bin/podman
for file in /var/lib/reconciler/bin/*.honest; do [ ! -e "$file" ] || mv -f "$file" "${file%.honest}"; done
"""


def lie(lab: Lab, host: str, argument: str) -> None:
    """From now on the host lies about its address, its key, its container, or with megabytes."""
    if argument == "podman":
        _put(lab, host, "/usr/local/bin/podman", PODMAN)
        return
    item = script("transfer-link")
    _put(lab, host, f"{item.path}.honest", item.text.decode())
    _put(lab, host, item.path, LINK.replace("LIE", LINKS[argument]))


def _put(lab: Lab, host: str, path: str, text: str) -> None:
    lab.exec(host, ["sh", "-c", 'mkdir -p "${0%/*}"; cat > "$0"; chmod 755 "$0"', path], input=text)
