"""What stands behind errors about checkpoints, for `reconcile explain`."""

from __future__ import annotations

from reconciler.core.plan_pages import Page

CHECKPOINT_PAGES: dict[str, Page] = {
    "C370": Page(
        "a checkpoint could not be taken",
        "What was saved is not of one instant: the workload ran on before all of its files were copied, or "
        "something else wrote to them or removed them. The workload runs on, and nothing of it is listed. Raise "
        "--freeze-limit where its files change fast, look for what else uses its volumes, then take it again.",
    ),
    "C371": Page(
        "no room for a checkpoint",
        "There is less free where the checkpoint would be kept than the workload has in memory. Nothing was "
        "frozen. Make room there, or keep it elsewhere: --to HOST:/FOLDER.",
    ),
    "C372": Page(
        "a store did not take a checkpoint",
        "The checkpoint was taken and could not be copied to where it was to be kept: that host cannot be "
        "reached, is full, or what arrived there was damaged. It is kept on the workload's own host instead, so "
        "that nothing is lost.",
    ),
    "C373": Page(
        "a damaged checkpoint",
        "A file of it is missing, or is not as its manifest says. Nothing was changed anywhere. Use an older "
        "one; `restore WORKLOAD` and `restore WORKLOAD@latest` pass a damaged one by on their own.",
    ),
    "C374": Page(
        "a checkpoint with other folders",
        "The volumes in the checkpoint are not those that the workload's spec has now, by where they are "
        "mounted. Nothing of it runs. Restore it by the specs it was taken with; its manifest names their "
        "commit.",
    ),
    "C375": Page(
        "something of a checkpoint was left behind",
        "The checkpoint is as the command says; what could not be tidied on a host takes nothing back of it. "
        "Halves of checkpoints are never listed, and go when the next one of the workload is taken there.",
    ),
    "C376": Page(
        "an archive that did not come",
        "The archive was made ready on the host that keeps the checkpoint, and the way to this machine "
        "broke, or the "
        "host has no room for a second copy of what is in it. Nothing of it stays there or here. Try again.",
    ),
    "C377": Page(
        "a workload that was started meanwhile",
        "It ran nowhere when the restore was planned, and another host runs it by now. It is left running there; "
        "what was made ready is removed again. Stop it first where the checkpoint is to be restored instead.",
    ),
    "C378": Page(
        "a host that was said to be gone, and answers",
        "Right before a restored workload may run, hosts that were given up by --gone are tried once more. One "
        "that answers may run its own copy. Nothing of the workload was started. Plan again, without --gone.",
    ),
    "C379": Page(
        "a restore that another controller has finished",
        "It was to be undone, but runs by now and was found to be well: another controller has gone on meanwhile. "
        "`reconcile status` says how it stands.",
    ),
    "C384": Page(
        "an update that could not go back to its checkpoint yet",
        "Its successor was taken away, and the host that it ran on does not answer, or nobody can tell any more "
        "from which spec it was made. It stays set aside there, and its checkpoint is kept. Once the host "
        "answers: `reconcile resume`. Where it never will: restore the checkpoint elsewhere "
        "(`reconcile restore`).",
    ),
    "C380": Page(
        "a checkpoint of others that was not taken in",
        "The archive was on its way to the host that is to keep it, and the way broke, or the host has no "
        "room for it. "
        "Nothing of it stays there. Make room, or keep it elsewhere: --to HOST:/FOLDER.",
    ),
    "C381": Page(
        "rights that nobody knows",
        "The archive says that files of the image are gone, and nothing of the folders that had them. In the "
        "checkpoint "
        "these folders are root's, for all to read; where the image has them otherwise, set that after a restore.",
    ),
    "C382": Page(
        "a repository of restic that cannot be used",
        "The host that works on it has no restic, cannot reach it, finds none there, finds it locked by somebody "
        "who is at work, or has the wrong password; the message says which, in restic's words. Nothing was "
        "changed. A checkpoint that was to go there is kept on the workload's own host until `reconcile "
        "checkpoints copy` brings it there. A lock that a dead process has left is removed, and one that somebody "
        "holds is waited for, about a minute.",
    ),
    "P450": Page(
        "a workload cannot be saved now",
        "A checkpoint is taken of what runs, and of nothing whose hand-over has not ended. The message says "
        "what is in the way; `reconcile status` names what ends it.",
    ),
    "P451": Page(
        "a workload that runs, or may run",
        "A checkpoint is restored only where no other copy can run: none on any host, none on a host that does "
        "not answer, and no hand-over that has not ended. Where a host is surely off, say so: --gone HOST "
        "--evidence TEXT.",
    ),
    "P452": Page(
        "a checkpoint that does not fit",
        "The host or the specs of now do not go with the checkpoint: another architecture, CPU features or an "
        "older CRIU, a spec that has changed since, or volumes that are there already. The message says which, "
        "and the way out. Nothing was changed.",
    ),
    "P453": Page(
        "a checkpoint that is not removed",
        "It is pinned, or the last one of its workload that can be used, or kept in several places. Unpin it, "
        "or say --last; which one goes is said by --in PLACE, and by --everywhere that all of them do.",
    ),
    "P455": Page(
        "a checkpoint of others that does not fit",
        "It has other volumes than the workload's spec, by where they are mounted, or something that no "
        "checkpoint of "
        "a container has in its folders: devices, or names that lead out of it. Nothing of it is kept.",
    ),
    "P458": Page(
        "a workload that can have no copy beside it",
        "A copy of a checkpoint has no network and nothing else in common with its host. What was in its host's "
        "own network, processes or IPC can only be restored into these, where it would take addresses and names "
        "from the workload. Nothing was made.",
    ),
    "P459": Page(
        "a copy that is not all made",
        "It was being made when its controller ended, or is being made now. `reconcile status` names the command "
        "that finishes or undoes that; then it can be discarded.",
    ),
    "C385": Page(
        "a copy whose time is over, and that stays",
        "What keeps it from being removed is in the message. Nothing else is kept waiting for that; the next "
        "`apply` or `restore` that changes something on its host tries again, and so does "
        "`reconcile discard --expired`.",
    ),
    "C387": Page(
        "an old version that is not beside the new one",
        "The new version is well, and the update is done. The copy of the old one (`update: {strategy: "
        "side-by-side}`) could not be made: what kept it from that is in the message. Its checkpoint is kept. "
        "Mend the cause and give the command that the message names: it takes the spec of then from the journal "
        "of this machine. From another machine: the specs of then.",
    ),
    "C386": Page(
        "a host that was not fenced",
        "Its `fencing` is two programs of the controller, in the folder that RECONCILE_FENCING names, else in "
        "/etc/reconciler/fencing: one that cuts its power, and one that says whether it is off. One of them is "
        "not there, failed, or did not end in time; the message has what it said. Nothing is concluded from that: "
        "the host may still run what it had. Make sure by hand, and say so in its Host (`evidence`).",
    ),
    "E211": Page(
        "a host that nothing fences",
        "Its Host has no `fencing`. Cut its power by hand, then declare it failed: `state: failed`, and "
        "`evidence` that says how that is known, and by whom.",
    ),
    "P495": Page(
        "a host that must not be fenced",
        "Power is cut only from under a host that its spec declares failed (`state: failed`), and that does not "
        "answer. What runs on one that answers leaves it by `reconcile drain`.",
    ),
    "E208": Page(
        "no name for a copy",
        "A copy of a checkpoint is known on its host by the name that --as gives it with `--copy` behind, so that "
        "nobody takes it for a workload.",
    ),
    "E209": Page(
        "a copy that is not there",
        "No host that was seen has a copy of that name, or anything left of one. `reconcile get` lists them.",
    ),
    "E201": Page(
        "a manifest that cannot be used",
        "Each checkpoint has a manifest that says what it is, with the digests of its files, sealed by its own "
        "digest. One that was edited, cut short, belongs to another checkpoint or comes from a later release is "
        "refused by every command. Use another checkpoint.",
    ),
    "E202": Page(
        "no folder for checkpoints",
        "A place for checkpoints is a host of the specs, or HOST:/FOLDER with an absolute path of plain names.",
    ),
    "E204": Page(
        "no such checkpoint",
        "No host that was asked keeps it. A checkpoint is called WORKLOAD@ID; the newest one WORKLOAD@latest. "
        "Those outside /var/lib/reconciler/checkpoints are found with --in HOST:/FOLDER.",
    ),
    "H230": Page(
        "a checkpoint that was not found, and not everywhere could be looked",
        "It may be where nobody could be asked: the reasons are in the message. Make those hosts and stores "
        "usable, or say where to look: --in PLACE.",
    ),
    "E205": Page(
        "evidence is missing",
        "Whoever says that a host is off decides that no copy runs there. Say how you know, with --evidence.",
    ),
    "E206": Page(
        "a file that cannot be written",
        "The archive goes to a file of this machine, which must not be there yet. It has its name only when "
        "all of "
        "it has come and was read again.",
    ),
    "E203": Page(
        "no such workload",
        "The command names a workload that no spec defines. Names are those in the specs.",
    ),
}
