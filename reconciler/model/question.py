"""What a plan wants to know of a host beyond the observation."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Question:
    """One host's part. `host`: whether to look at the host itself; `paths`: bind-mount sources; `addresses`:
    static addresses that will be used; `names`: workloads whose units to look for; `containers`: (container ID,
    first process) of what moves away; `profiles`: of AppArmor, by name; `folders`: bind-mount
    sources that go along; `files`: what is executed or mapped
    there, and has to be the same on both hosts; `contents`: what is mounted read-only, to be compared;
    `shared`: what should be the same folder on both; `attach`: workloads that are to be attached to, by
    `pidfile` or `unit`, and which; `ids`: of processes that come there, with the `cards` that their addresses
    `own` are on; `deep`: what is copied beside what moves: folders, and first processes whose files are saved."""

    host: bool = True
    paths: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    containers: tuple[tuple[str, int], ...] = ()
    profiles: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    contents: tuple[str, ...] = ()
    shared: tuple[str, ...] = ()
    attach: tuple[tuple[str, str, str], ...] = ()
    ids: tuple[int, ...] = ()
    cards: tuple[str, ...] = ()
    own: tuple[str, ...] = ()
    deep: tuple[str, ...] = ()
