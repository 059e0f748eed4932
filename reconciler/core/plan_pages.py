"""What stands behind the refusals of a plan: consent, staleness, and what `core.diff` finds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Page:
    """`title` fits on a line; `text` says why it happens and what to do."""

    title: str
    text: str


PLAN_PAGES: dict[str, Page] = {
    "runtime-changed": Page(
        "another runtime",
        "A workload is made by one runtime, and another one would not see it. A container goes to another engine "
        "together with another host: it is stopped, its volumes go along, and it starts anew there. Else let the "
        "one that has it remove it (`state: absent`), then give it to the other.",
    ),
    "P400": Page(
        "refused",
        "A rule says no while the workload still runs, and nothing was changed. The message names the rule, "
        "the host and the way out; `reconcile explain RULE` tells more.",
    ),
    "P401": Page(
        "removals and interruptions need consent",
        "The plan would remove the last copy of workloads, or stop or make anew some that run, which lose what "
        "they hold in memory. Say how many you agree to: --allow-removals N, --allow-interruptions N; or let the "
        "specs of the latter say so: spec.update.allow.",
    ),
    "P410": Page(
        "stale plan",
        "A saved plan is bound to what was reviewed: the specs, their commit, the repository (its first commits, "
        "or where it was cloned from), how each host is reached and known, what ran there, and the release that "
        "planned. Something of that differs, and the message names it. Make and review a new one: "
        "reconcile plan --out FILE.",
    ),
    "P430": Page(
        "a path cannot be mounted", "The engine's mount option cannot express commas, quotes and line ends."
    ),
    "P431": Page("a foreign container has the name", "See name.taken: it is never touched. Rename or remove it."),
    "P433": Page("a foreign network has the name", "See network.differs. Change the spec, or remove it by hand."),
    "P434": Page("a foreign volume has the name", "See volume.taken. Rename it, or move its data away."),
    "P436": Page("not running", "Only a running workload is moved. Plan again."),
    "P437": Page("made anew since the plan", "The container is another one than the plan saw. Plan again."),
    "P438": Page("made with --rm", "See container.auto-remove: there would be no way back."),
    "C351": Page(
        "a container cannot be changed in place",
        "It is gone, or what it was made from cannot be read. Plan again: the plan says what can be done.",
    ),
    "P442": Page(
        "a folder is not the workload's to take",
        "A bind mount with `move: true` goes along with its workload. The folder is a link, a file or a mount "
        "point, has files already where it should go, or belongs to another workload; /var/lib/reconciler/folders "
        "says whose. Nothing was written to it or removed.",
    ),
    "P443": Page(
        "a folder is not shared",
        "A bind mount with `shared: true` is storage that both hosts mount at the same path. One host wrote a "
        "file there, and the other did not see it within some seconds, or saw another inode number; or it is no "
        "folder. The file was removed again, and the workload runs on where it was.",
    ),
    "P440": Page(
        "a volume of the workload is there already",
        "It appeared since the plan was made, and holds data that nobody has looked at. Plan again; the plan says "
        "which copy counts, or see volume.stale and volume.unclear.",
    ),
    "P439": Page(
        "a copy runs on the destination",
        "Find out which one is right before anything is moved. Plan again.",
    ),
    "placement": Page(
        "no host fits",
        "No host carries the labels that placement asks for, is schedulable and was seen. The message says "
        "for each host what removed it.",
    ),
    "host-unknown": Page(
        "the destination was not seen",
        "The host did not answer, so nothing may be concluded about it. Make it reachable: reconcile doctor HOST.",
    ),
    "downtime.limit": Page(
        "a move would take too long",
        "The policy's `maxDowntime` is shorter than the downtime that is predicted from the workload's memory, the"
        " link and what earlier moves between the two hosts took. Raise it, set `bestEffort: true` to be warned"
        " instead, or move when the workload holds less memory.",
    ),
    "rehearsal.failed": Page(
        "a trial dump failed",
        "`reconcile plan --rehearse` froze and dumped the workload for trial, and that failed: a real move would"
        " have failed in the same way. The workload runs on where it was. The message says what CRIU reported.",
    ),
    "may-run-on-unknown-host": Page(
        "may be running elsewhere",
        "No host that answered runs the workload, and one that did not might. Starting it could make two "
        "copies. Make that host reachable; once it is surely off, declare it failed: see host-failed.",
    ),
    "host-failed": Page(
        "a host that is declared failed",
        "A Host with `state: failed` has what it ran brought back elsewhere, from the newest checkpoint that is "
        "whole. Should it still run, there would be two copies: so its spec says how it is known that it is off "
        "(`evidence`), it must not answer, and it is tried once more right before anything may run. The message "
        "names what is in the way, or what is lost. Without a checkpoint a workload starts anew.",
    ),
    "old-copy": Page(
        "an old copy on a host that came back",
        "The workload was brought back elsewhere while this host was given up, so that it does not know of the "
        "newer epoch. Its copy is stopped, and a person, or its own restart policy, could start it: until it is "
        "fenced nothing else is done to the workload. `reconcile status` names the command.",
    ),
    "marker-broken": Page("the marker cannot be trusted", "See G312."),
    "hand-over-unfinished": Page(
        "a hand-over is unfinished",
        "An earlier apply was cut short. `reconcile status` names the one command that ends it, mostly "
        "`reconcile resume`; plans wait until then.",
    ),
    "run-unfinished": Page(
        "an apply was cut short",
        "The journal holds a run that has not ended and concerns this workload. `reconcile status` names the one "
        "command that ends it, mostly `reconcile resume`; plans wait until then.",
    ),
    "held-for-nobody": Page(
        "frozen, and no hand-over is under way",
        "A checkpoint still holds the workload's processes, while the markers say that its hand-over has ended: a "
        "decision was made half-way, or a marker is gone. `reconcile status` names the command that ends it.",
    ),
    "runs-where-fenced": Page(
        "it runs where it must not",
        "The host was told that another host owns the workload, and a copy runs there all the same, because "
        "somebody started it by hand or a decision was made half-way. `reconcile status` names the command that "
        "ends it.",
    ),
    "runs-twice": Page(
        "two copies run",
        "Nobody but you can know which copy has the right state. Look at both, then: reconcile resolve "
        "WORKLOAD --owner HOST --evidence TEXT.",
    ),
    "recovery-point": Page(
        "a checkpoint that is older than promised",
        "The workload's CheckpointPolicy says how old its newest checkpoint may become (`recoveryPoint`). That is "
        "older, or there is none: more would be lost than was promised. `reconcile checkpoint --due` takes one; a "
        "`reconcile watch`, or a timer, takes them in time.",
    ),
    "rehearsal": Page(
        "a checkpoint that does not come up, or that nobody has tried",
        "The workload's CheckpointPolicy has its checkpoints restored for trial (`rehearse`). The last one did "
        "not come up, or was not healthy, as the message says, or the last good one is longer ago than promised: "
        "a recovery from it may fail. `reconcile checkpoints verify WORKLOAD@latest --rehearse` tries again now; "
        "`reconcile watch`, or `reconcile checkpoint --due`, do by the policy's times.",
    ),
    "runs-beside": Page(
        "something runs the same program over its volume or address",
        "A container that Reconciler did not make runs the workload's image and uses its volume or its static "
        "address: most likely somebody has made it by hand from the workload, as with `kube play`. Two "
        "programs then write to the same data. Nobody but you knows whether it is meant to be there; a move is "
        "refused while it is (volume.shared, address.taken).",
    ),
    "stopped-elsewhere": Page(
        "stopped on another host",
        "A stopped container has no processes to move. Start it where it is (placement.host, state: running), "
        "apply, then move it.",
    ),
    "paused": Page(
        "somebody has paused it",
        "Its state should be running, and its processes stand still: somebody has told its engine to pause it. "
        "Whoever did may have a reason, so it is not let run by itself. On its host:",
    ),
}
