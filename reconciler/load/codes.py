"""The stable codes of bad input, each with a title and the paragraph `reconcile explain CODE` prints.

A code is never reused for something else. E1xx are errors (exit code 4), W1xx are warnings.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Code:
    title: str
    text: str


CODES: dict[str, Code] = {
    "E100": Code("bad input", "The input cannot be used; the message says why. No host was contacted."),
    "E101": Code(
        "a file cannot be read",
        "The path does not exist, is not a regular file or folder, is larger than the limit, or may not be "
        "read by this user. Nothing is applied when any part of the specs cannot be read, because what is "
        "missing could be mistaken for something that was removed.",
    ),
    "E102": Code(
        "not valid YAML",
        "The text is not YAML 1.2. The place shown is where reading stopped; the cause is often on the line "
        "above: a missing quote, bracket, colon or a wrong indent. The other documents of the file are still "
        "checked, so one run shows all errors.",
    ),
    "E103": Code(
        "unknown field",
        "The kind has no such field. Unknown fields are errors, not ignored, because a typing mistake would "
        "otherwise silently mean the default. `reconcile schema` writes JSON Schemas for editors.",
    ),
    "E104": Code(
        "wrong type",
        "The value has another type than the field: text, number, true/false, list or mapping. YAML 1.2 is "
        "read: only `true` and `false` are booleans, while `yes`, `no`, `on` and `off` are text; `1e3`, "
        "`6379` and `0x10` are numbers. Put a value in quotes where text is meant.",
    ),
    "E105": Code(
        "value not allowed",
        "The type is right, the value is not: out of range, not one of the choices, without a unit, or with "
        "characters that are refused because the value becomes part of paths, labels or commands.",
    ),
    "E106": Code(
        "field missing",
        "A required field is not there. Every object needs apiVersion, kind, metadata.name and spec.",
    ),
    "E107": Code(
        "duplicate key",
        "The same key stands twice in one mapping. Many readers silently keep the last one; here it is an "
        "error that names both lines. Remove one of them.",
    ),
    "E108": Code("unknown kind", "`kind` must be one of the kinds the message lists."),
    "E109": Code(
        "unknown apiVersion",
        "`apiVersion` must be one of the versions the message lists. A newer version needs a newer reconciler.",
    ),
    "E110": Code(
        "not UTF-8",
        "Spec files are UTF-8. The message names the first byte that is not. Save the file as UTF-8 again.",
    ),
    "E111": Code(
        "control character",
        "The file or an escape in a quoted value holds NUL, another control character, or an invisible line "
        "separator. They are refused because they end up in commands, logs and terminals.",
    ),
    "E112": Code("tab in indentation", "YAML does not allow tabs as indentation. Use spaces."),
    "E113": Code(
        "tag not allowed",
        "Tags such as `!env` or `!!python/object` are refused: a spec is plain data. Remove the tag; use "
        "template values (`{{ values.name }}`) or `secretEnv` where something is filled in.",
    ),
    "E114": Code(
        "bad alias",
        "An alias (`*name`) has no anchor (`&name`) before it in the same document, or stands inside the very "
        "value it names, which would make the value endless.",
    ),
    "E115": Code(
        "too deep or too large",
        "The document nests deeper, or grows by aliases to more values, than any spec needs. The limits "
        "protect the controller from documents that expand without end.",
    ),
    "E116": Code(
        "ambiguous number",
        "A number with a leading zero, such as `0755`, is octal to some YAML readers and decimal to others. "
        "Quote it where text is meant; write it without the zero, or as `0o755`, where a number is meant.",
    ),
    "E117": Code("not an object", "Each document must be a mapping with apiVersion, kind, metadata and spec."),
    "E118": Code(
        "key is not text",
        "A key is a number, true/false, empty or a collection, or it is the merge key `<<` of YAML 1.1. Put "
        "keys in quotes where text is meant, and write merged fields out.",
    ),
    "E120": Code(
        "bad include",
        "An include document holds the single key `include` with a list of paths, relative to the file it "
        "stands in, of files or folders that exist.",
    ),
    "E121": Code(
        "outside the repository",
        "The path leads out of the repository (the git work tree of the file, else its folder), directly or "
        "through a link. Specs are reviewed together, so all of them must be inside.",
    ),
    "E122": Code("include cycle", "Files include each other in a circle. The message shows the way round."),
    "E123": Code(
        "nothing to load",
        "The paths hold no workload. That is more likely a wrong path or a bad checkout than a wish, so it "
        "is refused. With --allow-empty it is taken as meant.",
    ),
    "E124": Code(
        "empty file",
        "The file holds no document, as after a failed write or checkout. Remove the file, or pass "
        "--allow-empty when it is meant.",
    ),
    "E130": Code(
        "undefined template variable",
        "The template uses a value that was not given. Give it with --set name=value or in a --values file. "
        "There are no silent empty values; write `{{ values.x | default('...') }}` for a default.",
    ),
    "E131": Code(
        "template syntax",
        "A file that holds `{{` or `{%` is a template. This one cannot be understood. Write literal braces "
        "inside {% raw %} ... {% endraw %}.",
    ),
    "E132": Code(
        "template too large",
        "The template runs too long or writes too much. The limits are far above what real specs need.",
    ),
    "E133": Code(
        "template refused",
        "Templates of specs know values, for, if, set and a few filters. Everything else, Python's internals "
        "above all, is refused, so that a spec from a pull request cannot run code on the controller.",
    ),
    "E134": Code("bad value", "--set takes name=value, where name may be dotted; --values takes YAML mappings."),
    "E140": Code(
        "name used twice",
        "Two objects of one kind have the same name, so two specs would own one object. Rename or remove one. "
        "A workload with `renamedFrom` keeps that name on the hosts, so no other may have it.",
    ),
    "E141": Code("IP address claimed twice", "Two workloads claim one IP address on the same network."),
    "E142": Code("MAC address claimed twice", "Two workloads claim one MAC address."),
    "E143": Code("port claimed twice", "Two workloads publish the same port on the same host."),
    "E144": Code(
        "volume claimed twice",
        "A named volume moves with its workload, so only one workload can own it. Two that use the same files "
        "have a bind mount with `shared: true` each, on storage that all their hosts mount: nothing is copied "
        "then, and each may be on another host; or they are one workload whose first process starts both.",
    ),
    "E145": Code(
        "unknown policy",
        "No spec of this run defines the MigrationPolicy, or the CheckpointPolicy, that is named.",
    ),
    "E146": Code(
        "unknown host",
        "No spec of this run defines the Host that is named. Pass the inventory as another path.",
    ),
    "E169": Code("unknown store", "No spec of this run defines the CheckpointStore that is named."),
    "E147": Code("unknown jump host", "`jump` names a Host that no spec of this run defines."),
    "E148": Code("jump cycle", "Hosts jump through each other in a circle, so none of them can be reached."),
    "E149": Code(
        "no host fits",
        "No host satisfies the placement. The message says for each host which rule removed it.",
    ),
    "E150": Code(
        "host not schedulable",
        "The host that placement names has `schedulable: false`. Choose another, or make it schedulable.",
    ),
    "E151": Code(
        "literal secret",
        "The environment variable looks like a secret and its value is written in the file, where git keeps "
        "it for ever. Use `secretEnv: {NAME: {fromEnv: VARIABLE}}` or `fromFile`. The value is not printed. "
        "If it was committed before, replace it.",
    ),
    "E152": Code("address outside the network", "The IP address is not in the subnet of the Network it joins."),
    "E153": Code("used twice in one workload", "One workload uses the same target, network or port twice."),
    "E154": Code(
        "one machine under two names",
        "Two Hosts have the same address, port and jump host. A move between them would have the same source "
        "and destination. Remove one of them.",
    ),
    "E155": Code(
        "unknown runtime",
        "No installed package provides the runtime that `runtime` names. `reconcile runtimes` lists those there "
        "are. A third party's package registers one under the entry point `reconciler.runtimes`; it has to be "
        "installed wherever plans are made and applied.",
    ),
    "E156": Code(
        "a runtime cannot be used",
        "The package that provides the runtime is installed, and could not be loaded or lacks what it claims; the "
        "message says which. Workloads of other runtimes are not concerned. Update or reinstall the package, then "
        "see: reconcile runtimes",
    ),
    "E157": Code(
        "another runtime's section",
        "Each runtime takes one section that says what runs, such as `container`, or `custom` for third parties "
        "that bring a model of their own. `reconcile runtimes` shows which. Give the section that the runtime "
        "takes, or name the other runtime.",
    ),
    "E158": Code(
        "an environment file cannot be used",
        "`envFiles` names files beside the specs with lines NAME=value; empty lines and `#` comments are fine, "
        "and quotes around a whole value are taken off. The message says which line is none. Secrets do not go "
        "there: use `secretEnv`.",
    ),
    "E159": Code(
        "a rule that cannot be accepted",
        "`accept` of a MigrationPolicy names rules whose findings are known and wanted. Not all may be: not those "
        "that keep data, a second copy from running or confinement, nor those about what is known to fail. "
        "docs/rules.md lists both, `reconcile explain RULE` tells of one.",
    ),
    "E160": Code(
        "a window that cannot open",
        "A window of a SyncPolicy begins when `cron` says, five fields as in crontab, in its `timeZone`. "
        "One that never comes, such as the 30th of February, would keep `reconcile watch` from ever acting.",
    ),
    "E170": Code(
        "the repository cannot be read",
        "git could not fetch it (its own words are shown), its transport is not allowed (https, ssh, or a folder "
        "of this machine: nothing else tells who answers), it is larger than specs ever are, its files have names "
        "that lead elsewhere, or there is no room for them here. Nothing of it was used.",
    ),
    "E171": Code(
        "no such branch, tag or commit",
        "The repository holds nothing of that name, two things of that name that differ (a branch, a tag, the "
        "beginning of a commit's hash), or no such path there.",
    ),
    "E174": Code(
        "the runtime does not take this field",
        "The runtime that the workload names cannot do what the field says, or does not do it yet. Nothing that a "
        "spec says is dropped: leave the field out, say it in the other way that is named, or choose another "
        "runtime.",
    ),
    "E172": Code(
        "history was rewritten",
        "The commit that was read before from this branch or tag is not part of what it is now: somebody has "
        "forced another history. Look at it; --allow-rewritten follows it once.",
    ),
    "E173": Code(
        "not signed by an allowed signer",
        "--signers names git's file of allowed SSH signers, and neither the commit nor the tag that was asked for "
        "has a good signature of one of them. Signatures of other kinds do not count, whoever made them, nor does "
        "a signed tag that was put at another name than its own.",
    ),
    "E180": Code(
        "a secret is not there",
        "`secretEnv` names a variable or file of the controller that is not set or cannot be read. Nothing was "
        "changed. The value itself is never shown.",
    ),
    "E185": Code(
        "a checkpoint cannot be read",
        "The path does not exist or belongs to root.",
    ),
    "E186": Code(
        "a checkpoint is refused",
        "An archive that is cut short, unpacks to far more than it should, or holds links, devices, setuid files, "
        "a name twice or names that lead out of it is not what a checkpoint is; nor is one whose documents name "
        "volumes or deleted files that cannot be. Nothing of it was written.",
    ),
    "E187": Code(
        "not a checkpoint of CRIU",
        "There is no pstree.img in it, or one of its images does not decode. Archives that "
        "an engine makes of a checkpoint, such as those of `container checkpoint -e`, have all of them.",
    ),
    "E176": Code(
        "placement and runtime do not fit",
        "Workloads of the runtime `kubevirt` run in a cluster: `placement.cluster` names it, with `node`, with "
        "`labels` of its nodes, or with neither. Others run on hosts: `placement.host` or `labels`.",
    ),
    "E177": Code(
        "a workload called like a copy",
        "Names that end with `--copy` are those of copies of checkpoints (`reconcile restore --as`), which plans "
        "pass by. Give the workload another name, or another `renamedFrom`.",
    ),
    "E175": Code(
        "one virtual machine, two workloads",
        "Two workloads name the same VirtualMachine of a cluster: each would move it where the other does not "
        "want it. Remove one of them.",
    ),
    "E190": Code(
        "command line",
        "An unknown command or option, or a missing argument. `--help` after any command shows what it takes.",
    ),
    "E191": Code(
        "schemas out of date",
        "The JSON Schema files differ from the models of this version. `reconcile schema --out DIR` writes them.",
    ),
    "E192": Code(
        "files exist",
        "`reconcile lab up --write` does not replace a file that holds something else: give another file, or "
        "--overwrite.",
    ),
    "E193": Code(
        "specs are not committed",
        "--require-commit was given, and the specs differ from the last commit or are in no git repository. "
        "Commit them, so that what runs can be traced to a commit.",
    ),
    "E194": Code(
        "nobody to ask",
        "`apply` asks before it changes anything, and there is no terminal. In CI look at the plan first, then: "
        "reconcile apply PLAN-FILE, or --yes.",
    ),
    "E196": Code(
        "nobody to ask about",
        "The specs that were given, or found in the current folder, name no host. Commands that look at hosts "
        "say so instead of reporting that all is well. Go to the folder with your specs, or name it.",
    ),
    "E198": Code(
        "a host key nobody has confirmed",
        "Whoever is between you and a host can present a key of their own. Compare the fingerprint with what the "
        "host's own console shows: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub. Nothing was written.",
    ),
    "E188": Code(
        "a template failed",
        "--templates DIR replaces reports by templates of the same name: plan.md.j2, plan.html.j2, apply.md.j2, "
        "apply.html.j2, and page.html.j2, which the pages have in common. They run in a sandbox, with plain data "
        "and a bounded number of steps, and may be links to other templates of their repository only. What cannot "
        "be read is found before anything begins; an apply whose report fails afterwards is told by ours. A "
        "template of what a watch posts (--event-template) that fails at some news costs that its shape: it is "
        "sent as all others.",
    ),
    "E189": Code(
        "not a file that can be imported",
        "`reconcile import` reads compose files, which have `services`, and Quadlet units, whose [Container] has "
        "an `Image`. The message says where it stopped: at a value of another kind, a key that is there twice, an "
        "alias inside of what it stands for, or more than a file may hold.",
    ),
    "E197": Code(
        "not in the history",
        "The journal holds no run of a workload of that name, or does not exist. Each controller has its own: "
        "--journal, RECONCILE_JOURNAL, else below XDG_STATE_HOME. `reconcile history` lists what it holds.",
    ),
    "W102": Code(
        "one place hides another",
        "What is mounted inside a volume or bind mount covers what that holds there, and needs a folder to be "
        "mounted on, which a read-only one must have already.",
    ),
    "E199": Code(
        "a name that nobody knows",
        "Neither the specs nor a host that answers nor the journal know the workload or host that was named. It "
        "is taken for a mistake in typing: nothing was decided about it.",
    ),
    "W103": Code(
        "a window that never closes",
        "A `deny` window of a SyncPolicy comes again before it is over, for ever: what it is about is never "
        "changed by a watch. Shorten its duration, or say `suspend` where that is meant.",
    ),
    "W104": Code(
        "a policy about nothing",
        "No workload has all the labels that a SyncPolicy names, so it keeps a watch from nothing. Look at the "
        "spelling of both.",
    ),
    "W101": Code(
        "image not pinned",
        "The image has neither a tag nor a digest, so two hosts may pull different ones. Pin it by digest.",
    ),
}


def explain(code: str) -> str | None:
    """The text of a code, or None if there is no such code."""
    entry = CODES.get(code.upper())
    return f"{code.upper()}: {entry.title}\n\n{entry.text}\n" if entry else None
