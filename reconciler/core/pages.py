"""What stands behind each error code and each refusal of a plan: the pages `reconcile explain` prints.

Bad input (E1xx, W1xx) is explained in `reconciler.load.codes`, rules in their own docstrings. What is about one
runtime alone is told by it, and known wherever runtimes are (`registry.pages`).
"""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.core.checkpoint_pages import CHECKPOINT_PAGES
from reconciler.core.cluster_pages import CLUSTER_PAGES
from reconciler.core.copy_pages import COPY_PAGES
from reconciler.core.memory_pages import MEMORY_PAGES
from reconciler.core.plan_pages import PLAN_PAGES, Page

PAGES: dict[str, Page] = {
    "C360": Page(
        "no such runtime",
        "A plan or a journal names a runtime that no package on this machine provides, or one that could not be "
        "loaded. Nothing was done. Install the package that the plan was made with; `reconcile runtimes` lists "
        "what is there.",
    ),
    "C361": Page(
        "the runtime cannot do that",
        "Not every runtime has every ability; `reconcile runtimes` shows which. A workload whose runtime does not "
        "move what runs stays where it is: a copy too many is stopped on its host by the runtime's own means; "
        "then look again: `reconcile status`.",
    ),
    "C337": Page(
        "the destination does not answer right before the commit",
        "Everything was copied, and going back was still free, so the source runs again. Nothing was handed over.",
    ),
    "C345": Page(
        "the runtime did not move it",
        "The runtime moves such workloads by itself; it failed, was cancelled, or took longer than `live.within` "
        "of the policy. That was proven before it was said: it is where it was, and nothing that arrives late can "
        "move it any more. The reason is the runtime's own; mend it, or give it more time; then: reconcile apply",
    ),
    "C346": Page(
        "it runs where it should not any more",
        "A runtime has moved a workload by itself, and a copy of it runs on the host that was to be tidied. "
        "Nothing was removed. `reconcile status` says where it runs and what ends it.",
    ),
    "C331": Page(
        "an action of a move failed",
        "A command under `migration.actions` ended with an error or took longer than its `within`. It was taken "
        "back by its `undo`, and the move went back: the workload runs where it ran. Try the command on the host "
        "by hand.",
    ),
    "C332": Page(
        "an action of a move could not be undone",
        "The workload runs where it ran before, but the `undo` of a command under `migration.actions` failed, so "
        "what the command changed on the host is still there. Mend it by hand; `reconcile resume` tries again.",
    ),
    "C333": Page(
        "a round of a pre-copy failed",
        "What the running workload has in memory could not be written down. It runs on. The cause is in the lines "
        "of CRIU's log; set the policy's strategy to lazy to move it without rounds.",
    ),
    "C334": Page(
        "memory changes too fast",
        "The rounds of a pre-copy showed that clients would have to wait longer than the policy's `maxDowntime`. "
        "The workload was not frozen. Move it when it is less busy, raise the limit, or set `bestEffort: true`.",
    ),
    "A500": Page(
        "steps failed",
        "At least one workload did not get where the plan wanted it. What its steps had done was put back "
        "unless the output says otherwise, so it runs where it ran before. The output names the step, the "
        "host, the cause and the next command; `reconcile history` keeps it.",
    ),
    "A501": Page(
        "in doubt",
        "The reply to a commit was lost and the destination cannot be asked, so nobody knows who owns the "
        "workload. Both sides stay held: two running copies would be worse than none. `reconcile resume` asks "
        "again; `reconcile status` names what ends it otherwise. When a host is gone for good: reconcile forget "
        "HOST --evidence TEXT.",
    ),
    "A502": Page(
        "interrupted",
        "Ctrl-C or SIGTERM ended the run after what was under way had been put back, or finished where it "
        "could no longer be put back. `reconcile apply` starts again from what is there.",
    ),
    "C300": Page(
        "a command failed on a host",
        "The command ran and ended with a status that is no answer. Its last lines and those of the runtime's "
        "log are shown. Lines of CRIU's log that are known are explained in plain words (`reconcile explain` "
        "lists them as log.*).",
    ),
    "C301": Page(
        "reply lost",
        "The connection ended after a command was sent: it may or may not have run. Nothing is guessed: the "
        "host is read again before anything else is done. `reconcile status` shows what is open.",
    ),
    "C302": Page(
        "a command took too long",
        "It was stopped at its time limit. A command that changes things may have done a part of its work; "
        "the next run looks at what is there first. Look at the host's load, disk and network.",
    ),
    "C303": Page(
        "too much output",
        "A command printed more than the limit, which protects the controller's memory. Often a tool on the "
        "host was replaced by a wrapper that prints.",
    ),
    "C310": Page(
        "the workload could not be held",
        "CRIU or the runtime could not dump the processes. They run on, same process, as before; the message "
        "says so explicitly. The cause is in the lines of CRIU's log. Most causes are found beforehand by "
        "rules (process.*) or by a rehearsal: reconcile plan --rehearse.",
    ),
    "C311": Page(
        "the workload cannot resume",
        "The source was told to go on and does not run: its container is gone, or the program ended by "
        "itself. `reconcile logs WORKLOAD` tells why; apply starts it again.",
    ),
    "C312": Page(
        "not located",
        "A step was done out of order: the source was not prepared for this move. Plan again.",
    ),
    "C313": Page(
        "the destination could not be prepared",
        "The container could not be made there from the spec, or could not be brought into the state a "
        "restore needs. The source runs on. The message names what its engine said.",
    ),
    "C314": Page(
        "processes are left",
        "A prepared or failed copy could not be removed completely. Nothing else is started until its "
        "processes are gone: look at them on that host, end them, then reconcile resume.",
    ),
    "C315": Page(
        "the restored workload does not run",
        "The runtime reported success and the container is not running. By policy it goes back to the "
        "source's images. `reconcile logs WORKLOAD` shows why it ended.",
    ),
    "C316": Page(
        "the restored workload is not what its spec says",
        "Credentials, capabilities, seccomp, mounts or image differ from the spec. Checkpoint images never "
        "decide those, so the copy is refused and taken down. Somebody changed the images, or the container "
        "was not made from this spec.",
    ),
    "C317": Page(
        "a copy still runs on the destination",
        "The source must not go on while the other copy runs. Once the message's process is gone: reconcile "
        "resume.",
    ),
    "C341": Page(
        "a restore that does not end",
        "The policy's freezeLimit also bounds the restore on the destination: an engine or CRIU that hangs there "
        "is ended, the copy is proven not to run, and the source goes on. See what holds it up on that host "
        "(its disks, `dmesg`); a workload that takes longer to restore needs a higher freezeLimit.",
    ),
    "C318": Page(
        "the workload is not healthy",
        "It does not run, or its health check did not pass within spec.health.within. After a move it goes back "
        "to the source, unless the policy says onUnhealthy: stay. `reconcile logs WORKLOAD` says more.",
    ),
    "C340": Page(
        "the workload has ended",
        "Its program ended by itself right after it was started or restored. The message has its exit code and "
        "the last lines it printed, because undoing removes the container; above 128 a signal ended it (137: "
        "killed, often for want of memory). A move goes back to the source, also with onUnhealthy: stay. "
        "Mend what the program complains of, then: reconcile apply.",
    ),
    "C319": Page(
        "nothing is left on the source to go back to",
        "Going back would end the only copy, so it was not done. See reconcile status for who owns the workload.",
    ),
    "C350": Page(
        "a volume is not there",
        "It was removed while the plan was carried out. Nothing is started with an empty one instead. Plan again.",
    ),
    "G310": Page(
        "a newer epoch is known",
        "Each hand-over raises the workload's epoch, and hosts refuse commands of lower ones. Another "
        "controller moved the workload since this plan was made. Plan again.",
    ),
    "G311": Page(
        "leased by another controller",
        "Another controller works on this workload right now. Wait until it has finished; the lease of a dead "
        "one ends by itself within a minute.",
    ),
    "G312": Page(
        "the marker cannot be trusted",
        "The host's durable note about who owns the workload is damaged, or a later release of Reconciler "
        "wrote it; the message names host and file. A damaged one is replaced, and kept beside, when you decide "
        "who owns the workload: `reconcile status` names the command, reconcile resolve WORKLOAD --owner HOST "
        "--evidence TEXT. One of a later release is not replaced: end the hand-over with a Reconciler as new.",
    ),
    "G313": Page(
        "not in this phase",
        "The command does not fit the phase of the hand-over that the host knows. `reconcile status` shows "
        "it; an unfinished move ends with `reconcile resume`.",
    ),
    "G314": Page(
        "the source has resumed",
        "The frozen source heard nothing from its controller for the policy's limit and went on by itself, "
        "which is what it should do before the commit. Nothing is lost. Plan again.",
    ),
    "G315": Page("not held", "The workload is not frozen on this host. `reconcile status` shows where it stands."),
    "G316": Page("busy", "Another command holds the host's guard at this moment. Try again."),
    "G317": Page(
        "the guard failed",
        "The host-side guard could not write, or was called wrongly. Look at disk space and permissions of "
        "/var/lib/reconciler on the host.",
    ),
    "G318": Page(
        "committed already",
        "From the commit on the destination owns the workload: the source does not resume by itself. Going "
        "back takes proof that the destination does not run it, and a higher epoch: reconcile resume, or "
        "reconcile resolve.",
    ),
    "G319": Page(
        "still running",
        "The checkpoint command has not ended in time. Try again; if it stays, look at the process on the host.",
    ),
    "G320": Page(
        "another run",
        "Another controller, with a journal of its own, planned from the same state and was first. Nothing of "
        "this run is held there. `reconcile status` shows how the workload stands.",
    ),
    "H200": Page(
        "a host cannot be used",
        "The message says why. Other hosts are not affected: reconcile doctor HOST.",
    ),
    "H201": Page(
        "no connection",
        "The host refused, did not answer in time, or the name is unknown. Try: ssh -p PORT USER@ADDRESS "
        "true. Check address, port, jump host and firewall. No command ran.",
    ),
    "H202": Page(
        "host key",
        "The host's key is unknown or changed. It is never trusted on first use. Compare the fingerprint with "
        "what ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub shows on the host's console, then put the key "
        "into spec.hostKey or known_hosts. A key that changed without your doing may be an attack.",
    ),
    "H203": Page(
        "cannot log in",
        "No key, or one that the host does not accept, or a key file that cannot be used. Set "
        "spec.identityFile or load a key into the SSH agent, and see that the host lists it in "
        "authorized_keys.",
    ),
    "H204": Page(
        "sudo",
        "sudo is missing or asks for a password; nobody is there to type one. `reconcile doctor --sudoers` "
        "prints the lines to add with visudo.",
    ),
    "H205": Page("jump hosts go in a circle", "Hosts jump through each other. Mend `jump` in the Host specs."),
    "H206": Page(
        "the host does not let us run commands",
        "A restricted shell, a forced command in authorized_keys, or a login shell that prints and exits. The "
        "user needs an ordinary POSIX shell.",
    ),
    "H207": Page("unknown host", "No spec of this run defines the host. Pass the inventory as another path."),
    "H208": Page(
        "a link was not removed",
        "The key made for one move could not be taken off a host that stopped answering. It only runs one "
        "command from one address; `reconcile resume` removes it when the host is back.",
    ),
    "H209": Page(
        "no ssh on the controller",
        "The hosts do not reach each other, so bytes go through the controller, which needs the OpenSSH "
        "client. apt-get install openssh-client.",
    ),
    "H210": Page(
        "an engine is not there, but was",
        "A host without it is fine: nothing is made there. On this one something that it kept is left, and the "
        "program is gone, so that nobody can be asked what still runs: nothing about the host is concluded.",
    ),
    "H211": Page(
        "not root",
        "Checkpoints need root on both sides, whatever the runtime promises. Set the Host's spec.user to "
        "root, or spec.sudo: true with what `reconcile doctor --sudoers` prints.",
    ),
    "H213": Page(
        "the OCI runtime is not installed",
        "The spec or the container names runc or crun: install it there.",
    ),
    "H214": Page(
        "the image is not there",
        "It was removed since the plan was made. Plan again: it is copied or pulled.",
    ),
    "H215": Page(
        "an engine does not answer",
        "What it has could not be listed, so nothing about the host is concluded. The message names what it said.",
    ),
    "H216": Page(
        "a host's memory of a hand-over is not believed",
        "Without a journal a move goes on from what its two hosts have kept, which holds commands for both. "
        "They differ, or one has none: a disk was exchanged, or a host is in somebody's hands.",
    ),
    "H218": Page(
        "a command line that is too long",
        "Linux takes at most 128 KiB in one argument, and a login shell gets a command as one. Something of "
        "the spec is longer: its command, environment, labels or mounts. Nothing was run.",
    ),
    "H290": Page(
        "answers cannot be read",
        "The host printed something no parser knows, so nothing about it is concluded. Please report it with "
        "the output of: reconcile plan --trace FILE.",
    ),
    "H292": Page(
        "two hosts are one machine",
        "Two Host specs lead to the same machine: two spellings of a name, or a name and an address. Everything "
        "on it would be seen twice, as two running copies. Nothing is concluded about it until one of the specs "
        "is gone; workloads that are placed by the name that goes need the one that stays. Clusters are told by "
        "the UID of their namespace kube-system: two Cluster specs may not lead to one.",
    ),
    "H291": Page("no answer in time", "The host is connected and slow or stuck. Look at its load and disk."),
    "L700": Page(
        "the lab cannot be made or used",
        "The message says why. `reconcile lab down` and `up` start anew.",
    ),
    "L701": Page(
        "the lab needs root",
        "It makes namespaces, mounts and interfaces. Run the same command with sudo.",
    ),
    "L702": Page("packages are missing", "The lab is made of Debian packages; --install installs them."),
    "L703": Page("no such lab", "`reconcile lab status` lists labs; `reconcile lab up --name NAME` makes one."),
    "L704": Page("the lab's host is down", "`reconcile lab up` boots it from its disk."),
    "R000": Page("an error", "The message says what happened, where, why, and the way out."),
    "R001": Page(
        "a mistake in reconcile",
        "Something unexpected happened in the program itself, not in your files. A report without secrets was "
        "saved; please send it. `reconcile status` shows whether a hand-over is unfinished.",
    ),
    "R002": Page(
        "the machine refused",
        "The computer that reconcile runs on refused something it needs: a folder that is gone, read-only or "
        "another user's, a full disk, too many open files. The message names it. Nothing is wrong with the specs "
        "or the hosts; `reconcile status` shows whether a hand-over is unfinished.",
    ),
    "R003": Page(
        "reconcile cannot start",
        "A file of the program or of what it needs is missing or damaged, or the machine has no memory or thread "
        "left. Nothing was contacted.",
    ),
    "S600": Page(
        "locked",
        "Another reconcile works on a host or a workload that this one needs; the message names it. What "
        "touches nothing in common runs at the same time: a plan that makes something needs all hosts; resume, "
        "resolve and forget need those of the hand-overs they end, and resume leaves others alone. Wait for it. "
        "A dead one's lock ends by itself within 60 s.",
    ),
    "S601": Page(
        "the journal cannot be used",
        "Nothing is done without a durable record of it. Check disk space and permissions of the journal's "
        "folder (XDG_STATE_HOME, --journal).",
    ),
    "S602": Page(
        "another controller took over",
        "This one was silent for longer than its lease on a host is good for (a suspended machine, a cut "
        "network), and another controller has come. What could be put back was, nothing new was started. See "
        "reconcile status.",
    ),
    "S603": Page(
        "a lease could not be given back",
        "The work is done and its outcome stands. Other controllers have to wait until the lease on that host "
        "ends by itself, 45 s after its last beat.",
    ),
    "S604": Page(
        "connections could not be closed properly",
        "The work is done and its outcome stands. sshd on the host ends what is left of a connection by itself.",
    ),
    "S605": Page(
        "the trace is not complete",
        "The file that --trace (RECONCILE_TRACE) names could not be written to its end: a full disk, or a pipe "
        "whose reader went away or is too slow. What was done on the hosts does not depend on it.",
    ),
    "S606": Page(
        "the end of the run is not in the journal",
        "The outcome that is told stands, and every step is in the journal but for the word that all is over: "
        "status shows the run as unfinished. Mend what keeps the journal from being written (S601); "
        "`reconcile resume` then notes the end and changes nothing.",
    ),
    **COPY_PAGES,
    **MEMORY_PAGES,
    **PLAN_PAGES,
    **CHECKPOINT_PAGES,
    **CLUSTER_PAGES,
}


def tell(pages: Mapping[str, Page]) -> None:
    """Make pages known, of codes that nobody else has."""
    assert not PAGES.keys() & pages.keys(), sorted(PAGES.keys() & pages.keys())
    PAGES.update(pages)


def add(code: str, text: str) -> None:
    """What one runtime has to say where several have the same error."""
    page = PAGES[code]
    PAGES[code] = Page(page.title, f"{page.text}\n\n{text}")
