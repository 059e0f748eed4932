"""What a test may have left on a host, and how it is ended there: pieces of shell."""

from __future__ import annotations

END_HOLDS = """
for guard in /var/lib/reconciler/bin/guard-*.sh; do
    for hook in /var/lib/reconciler/workloads/*/hook; do
        [ -d "$hook" ] || continue
        folder=${hook%/hook}
        rm -f "$folder/marker"
        sh "$guard" resume "${folder##*/}" 999999999
    done
done
"""
"""A hold that a test has left keeps Podman's lock on its container: what is held runs on, whatever was decided."""


END_TREES = """
for group in /sys/fs/cgroup/reconciler-*; do
    [ -d "$group" ] || continue
    echo 0 > "$group/cgroup.freeze"
    echo 1 > "$group/cgroup.kill"
    until rmdir "$group" 2>/dev/null; do sleep 0.05; done
done
for space in /run/netns/rc-* /run/netns/reconciler-*; do [ ! -e "$space" ] || ip netns del "${space##*/}"; done
"""
"""What runs without a container engine."""


CLOSE_LINKS = """
for script in /var/lib/reconciler/bin/transfer-link-*; do
    for link in /run/reconciler/links/*; do
        [ ! -d "$link" ] || "$script" close "${link##*/}" root
    done
done
"""
"""Of moves that a test has left unfinished: their keys, too."""
