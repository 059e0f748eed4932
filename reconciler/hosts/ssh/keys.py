"""Which host keys are trusted: those in the spec, else in known_hosts, no others. Never asks, never learns."""

from __future__ import annotations

import asyncssh
from asyncssh.public_key import get_default_certificate_algs, get_default_public_key_algs

from reconciler.errors import HostKeyError
from reconciler.hosts.link import key_text
from reconciler.model.spec import HostSpec


class HostKeys:
    """The trusted keys of one host, and what it presented when it was not trusted."""

    def __init__(self, name: str, spec: HostSpec) -> None:
        self._name = name
        self._spec = spec
        self._keys = self._parse("hostKey", spec.host_key)
        self._authorities = self._parse("hostCa", spec.host_ca)
        self.presented: asyncssh.SSHKey | None = None
        self.presented_authority: asyncssh.SSHKey | None = None

    def _parse(self, field: str, text: str | None) -> list[asyncssh.SSHKey]:
        lines = [entry for entry in (text or "").splitlines() if entry.strip()]
        try:
            return [asyncssh.import_public_key(key_text(entry)) for entry in lines]
        except asyncssh.KeyImportError as error:
            raise HostKeyError(
                f"spec.{field} is not a public key",
                where=self._name,
                why=str(error),
                fix=f"write it as in a known_hosts file, e.g. {field}: ssh-ed25519 AAAA...",
            ) from error

    @property
    def known(self) -> tuple[list[asyncssh.SSHKey], list[asyncssh.SSHKey], list[asyncssh.SSHKey]]:
        """Trusted keys, trusted authorities, revoked keys: what the connection checks against."""
        return self._keys, self._authorities, []

    @property
    def algorithms(self) -> list[str]:
        """Host key algorithms in the order asked for: those we can verify first, then all others, because a
        host that has no key we trust must be told apart from one that cannot be talked to."""
        wanted = [name for key in self._keys for name in _signatures(key)]
        others = [name.decode() for name in get_default_public_key_algs()]
        certificates = [name.decode() for name in get_default_certificate_algs()] if self._authorities else []
        return list(dict.fromkeys([*certificates, *wanted, *others]))

    def error(self, cause: Exception) -> HostKeyError:
        """Why the host was refused, with the fingerprints to compare and what to write where."""
        shown = self.presented_authority or self.presented
        print_now = shown.get_fingerprint() if shown else "unknown"
        if not self._keys and not self._authorities:
            key = shown.export_public_key().decode().strip() if shown else "..."
            return HostKeyError(
                f"neither the spec nor known_hosts has its key; the host presents {print_now}",
                where=self._name,
                why="unknown hosts are never trusted",
                fix="compare that with `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` on the host, then "
                f"add to its spec: hostKey: {key}; or: reconcile hosts add {self._name}",
            )
        if self.presented_authority:
            trusted = ", ".join(key.get_fingerprint() for key in self._authorities)
            what = f"the host's certificate is signed by {print_now}, the spec trusts {trusted}"
        elif self.presented:
            trusted = ", ".join(key.get_fingerprint() for key in self._keys) or "only certificates of its CA"
            what = f"the host presents the key {print_now}, the spec says {trusted}"
        else:
            what = f"the host's certificate is not valid: {cause}"
        return HostKeyError(
            what,
            where=self._name,
            why="the host was installed anew, or something is between it and you",
            fix="find out which; only then change hostKey or hostCa in the spec, or renew the certificate",
        )


def _signatures(key: asyncssh.SSHKey) -> list[str]:
    return [name.decode() for name in key.sig_algorithms]
