"""Who signed a commit, or the tag that was asked for. Only SSH signatures count, by somebody whom git's file of
allowed signers names: git takes the program that looks at one from what the signature claims to be, so a key of
the controller's own keyring would do as well."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from reconciler.load.git import GitAnswer

SSH: Final = b"-----BEGIN SSH SIGNATURE-----"
_OTHERS: Final = tuple(
    word for name in ("gpg", "gpg.openpgp", "gpg.x509") for word in ("-c", f"{name}.program=false")
)


def unsigned(ask: Callable[..., GitAnswer], signers: Path, commit: str, tag: str) -> str:
    """Why neither the commit nor the tag of that name, if there is one, is signed by one of them; empty where one
    is."""
    trust = ("-c", "gpg.format=ssh", "-c", f"gpg.ssh.allowedSignersFile={signers.absolute()}", *_OTHERS)
    found = ask("cat-file", "tag", f"refs/tags/{tag}") if tag else GitAnswer(b"")
    by_tag = _by_tag(ask, trust, tag, found.out) if found.status == 0 else ""
    if by_tag is None:
        return ""
    head = ask("cat-file", "commit", commit).out.partition(b"\n\n")[0]
    if not any(line.startswith((b"gpgsig ", b"gpgsig-sha256 ")) for line in head.splitlines()):
        return by_tag or "it has no signature"
    if SSH not in head:
        return by_tag or "its signature is not one of an SSH key"
    return ask(*trust, "verify-commit", commit).why


def _by_tag(ask: Callable[..., GitAnswer], trust: tuple[str, ...], tag: str, raw: bytes) -> str | None:
    """Why the tag does not vouch for what it names; None where it does. What it calls itself is signed, the name
    that it was put at is not: an old release, put at the name of a new one, is none."""
    called = [line[4:] for line in raw.partition(b"\n\n")[0].splitlines() if line.startswith(b"tag ")]
    if called != [tag.encode()]:
        return f"the tag there calls itself {b' '.join(called).decode(errors='replace')!a}"
    if SSH not in raw:
        return "neither the tag nor its commit has a signature of an SSH key"
    return ask(*trust, "verify-tag", f"refs/tags/{tag}").why or None
