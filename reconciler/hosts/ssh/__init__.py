"""Hosts over SSH: the only user of asyncssh. Bulk bytes never come through it (`hosts.transfer`)."""

from reconciler.hosts.ssh.fleet import SshFleet, SshHost

__all__ = ["SshFleet", "SshHost"]
