"""Whether the account that a cluster is asked with may do all that is needed there. Asked of the cluster itself,
one right after the other; changes nothing."""

from __future__ import annotations

import json

from reconciler.core import answers
from reconciler.model.command import ApiCall, Program, Resource, Verb
from reconciler.model.resources import (
    CONFIG_MAP,
    KUBEVIRT,
    MIGRATION,
    NAMESPACE,
    NODE,
    POD,
    POLICY,
    REVIEW,
    VM,
    VMI,
)

NEEDED: tuple[tuple[Resource, tuple[str, ...]], ...] = (
    (NODE, ("get", "list")),
    (POD, ("list",)),
    (NAMESPACE, ("get", "list")),
    (CONFIG_MAP, ("get", "create", "patch")),
    (KUBEVIRT, ("list",)),
    (VM, ("get", "list", "create", "patch", "delete")),
    (VMI, ("get", "list")),
    (MIGRATION, ("get", "list", "create", "delete")),
    (POLICY, ("list",)),
)
"""As in `templates/kubernetes/role.yaml`; a test compares them."""
NOT_ASKED = (403, 404)
"""Answers of clusters that do not tell anybody what he may do."""


def lacking() -> Program[tuple[str, ...] | None]:
    """The rights that are not there, such as `create virtualmachines.kubevirt.io`; None where the cluster does not
    say."""
    found = []
    for resource, verbs in NEEDED:
        for verb in verbs:
            about = {"verb": verb, "group": resource.group, "resource": resource.plural}
            body = {
                "apiVersion": REVIEW.api_version,
                "kind": REVIEW.kind,
                "metadata": {},
                "spec": {"resourceAttributes": about},
            }
            told = yield ApiCall(Verb.CREATE, REVIEW, body=json.dumps(body), ok=NOT_ASKED)
            if told.status in NOT_ASKED:
                return None
            status = answers.mapping(answers.parsed(told.stdout, "a right"), "a right").get("status")
            if answers.mapping(status, "a right").get("allowed") is not True:
                found.append(f"{verb} {resource.plural}{'.' * bool(resource.group)}{resource.group}")
    return tuple(found)
