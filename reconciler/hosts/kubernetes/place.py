"""A place in a cluster, as runtimes and the engine know places: API calls go to the API server, what is asked of
the guard is decided in `guard`, and there are no other commands."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from reconciler.core import answers
from reconciler.errors import CommandFailed, GuardRefused, HostError, HostUnreachable, ReconcilerError, ReplyLost
from reconciler.hosts.kubernetes.api import (
    MOST_LIST,
    MOST_PAGES,
    Api,
    HttpAnswer,
    Request,
    message_of,
    page_of,
    request_of,
)
from reconciler.hosts.kubernetes.clock import ServerClock
from reconciler.hosts.kubernetes.guard import ClusterGuard
from reconciler.hosts.kubernetes.kept import NotAllowed
from reconciler.model.cluster import MachineRef
from reconciler.model.command import ApiCall, Command, Result, Seconds, Verb
from reconciler.model.place import node_of

BUSY = (429, 500, 502, 503, 504)
"""Answers of a server that may answer otherwise a little later."""
UNSURE = (500, 502, 503, 504)
"""Those after which nobody knows whether a change was made."""
CUT = "H228"
"""The connection was there, and the answer to a question did not come."""
TRIES = 5
CHANGES = 3
"""Times that a change is made whose answer did not come."""
PAUSE: Seconds = 0.2
LONGEST_PAUSE: Seconds = 8.0
"""Longest that is waited before a call is made again, whatever the server asks for."""
EXPIRED = 410
_RIGHTS = {Verb.APPLY: "patch"}
"""What roles call a verb, where that is another word."""
_KUBEVIRT = ("kubevirt.io", "migrations.kubevirt.io")


@dataclass(frozen=True)
class Reached:
    """What all places of a cluster share. `refs`: namespace and name of the virtual machines that specs name.
    `told`: lists that may be some time old, and when they were asked for. `clock`: the API server's."""

    name: str
    namespace: str
    timeout: Seconds
    refs: Mapping[str, MachineRef]
    told: dict[tuple[str, ...], tuple[Seconds, Result]] = field(default_factory=dict)
    clock: ServerClock = field(default_factory=ServerClock)


class ClusterPlace:
    """A node of a cluster, or the cluster's own place."""

    def __init__(self, name: str, cluster: Reached, api: Api) -> None:
        self.name = name
        self._cluster = cluster
        self._api = api
        self._guard = ClusterGuard(node_of(name), cluster.namespace, cluster.refs, self.call, cluster.clock.now)

    async def run(self, command: Command) -> Result:
        if not command.guard:
            raise HostError(f"{self.name} is in a cluster: no commands run there", code="H220", where=self.name)
        result = await self._guard.answer(command.guard, command.stdin)
        if result.status not in command.ok:
            raise CommandFailed(
                f"{command.guard[0]} failed",
                argv=command.guard,
                exit_code=result.status,
                stderr=result.stderr,
                where=self.name,
                why=result.stderr.strip(),
            )
        return result

    async def call(self, call: ApiCall) -> Result:
        if call.verb is Verb.WHEREABOUTS:
            return self._whereabouts()
        if call.verb is Verb.PAUSE:
            await asyncio.sleep(call.timeout)
            return Result(0)
        began = time.monotonic()
        call = replace(call, timeout=min(call.timeout, self._cluster.timeout))
        key = (*call.words, call.selector)
        kept = self._cluster.told.get(key)
        if kept and call.age and began - kept[0] < call.age:
            return kept[1]
        if call.verb is Verb.LIST:
            told = await self._list(call)
        else:
            answer = await self._made(call)
            told = Result(answer.status, answer.text)
        told = replace(told, seconds=time.monotonic() - began)
        if call.age:
            self._cluster.told[key] = (began, told)
        return told

    async def _made(self, call: ApiCall) -> HttpAnswer:
        """Once more where nobody knows whether it was made and twice is the same as once; each time the marker is
        asked anew."""
        pause = PAUSE
        for _ in range(CHANGES - 1):
            await self._allowed(call)
            try:
                return await self._sent(request_of(call), call)
            except ReplyLost:
                if not call.repeatable:
                    raise
            await asyncio.sleep(pause)
            pause *= 2
        await self._allowed(call)
        return await self._sent(request_of(call), call)

    async def _allowed(self, call: ApiCall) -> None:
        if call.fence is None:
            return
        try:
            await self._guard.allow(call.fence.workload, call.fence.epoch, call.phases)
        except NotAllowed as denied:
            raise GuardRefused(
                str(denied), code="G310", where=self.name, fix="Another controller moved it since. Plan again."
            ) from None

    def _whereabouts(self) -> Result:
        """What runtimes are told of the place itself, without asking anybody."""
        told = {
            "cluster": self._cluster.name,
            "node": node_of(self.name),
            "namespace": self._cluster.namespace,
            "workloads": {name: list(ref) for name, ref in self._cluster.refs.items()},
            "now": self._cluster.clock.now(),
        }
        return Result(0, json.dumps(told))

    async def _list(self, call: ApiCall) -> Result:
        """All parts as one list. Where the list has changed too much meanwhile, it is begun anew, once."""
        for last in (False, True):
            found: list[object] = []
            more, room = "", MOST_LIST
            for number in range(MOST_PAGES):
                request = replace(request_of(call, more), most=room)
                answer = await self._sent(request, call, also=() if last else (EXPIRED,))
                room -= len(answer.text)
                if answer.status >= 400:
                    break
                items, more = page_of(answer.text, f"a list of {call.resource.plural}")
                if not more and number == 0:
                    return Result(answer.status, answer.text)
                found += items
                if not more:
                    return Result(answer.status, json.dumps({"items": found}))
            else:
                break
            if answer.status != EXPIRED:
                return Result(answer.status, answer.text)
        raise answers.refused("", f"a list of {call.resource.plural}", "a list that ends")

    async def _sent(self, request: Request, call: ApiCall, also: tuple[int, ...] = ()) -> HttpAnswer:
        """Again where the server is busy or stumbles and that does no harm, within the call's time."""
        ends = time.monotonic() + call.timeout
        pause = PAUSE
        for left in range(TRIES, 0, -1):
            wait, asked = pause, time.time()
            try:
                answer = await self._api.send(request)
            except HostUnreachable as error:
                failure: ReconcilerError = error
                again = error.code == CUT
            else:
                self._cluster.clock.heard(answer.at, asked)
                if 200 <= answer.status < 300 or answer.status in (*call.ok, *also):
                    if not _of_an_api(answer):
                        raise self._stranger(answer, request)
                    return answer
                failure = self._error(answer, request, call)
                again = answer.status == 429 or (answer.status in BUSY and not request.changes)
                wait = min(max(answer.retry_after or 0.0, pause), LONGEST_PAUSE)
            if not again or left == 1 or time.monotonic() + wait >= ends:
                raise failure
            await asyncio.sleep(wait)
            pause *= 2
            request = replace(request, timeout=ends - time.monotonic())
        raise AssertionError("the last try returns or raises")

    def _stranger(self, answer: HttpAnswer, request: Request) -> HostError:
        if answer.status < 300 and not answer.text.lstrip().startswith("<"):
            error = answers.refused(answer.text, "what it has of the API", "an object")
            error.where = self.name
            return error
        return HostError(
            f"what answers is not an API server ({answer.status})",
            code="H293",
            where=self.name,
            why=f"{request.method} {request.path}: {message_of(answer.text) or 'an empty answer'}",
            fix="see what is at the kubeconfig's address, and between: kubectl get --raw /version",
        )

    def _error(self, answer: HttpAnswer, request: Request, call: ApiCall) -> ReconcilerError:
        said = message_of(answer.text)
        resource = call.resource
        group = f" of {resource.group}" if resource.group else ""
        if answer.status < 400:
            return self._stranger(answer, request)
        if answer.status == 401:
            return HostError(
                "the API server does not know who asks",
                code="H224",
                where=self.name,
                why=said,
                fix="log in to the cluster again, or renew the token; try: kubectl auth whoami",
            )
        if answer.status == 403:
            where = f" in {call.namespace}" if call.namespace else ""
            return HostError(
                f"not allowed: {_RIGHTS.get(call.verb, call.verb.value)} {resource.plural}{group}{where}",
                code="H225",
                where=self.name,
                why=said,
                fix="give this account the rights of templates/kubernetes/role.yaml; see all that lack:"
                f" reconcile doctor {self._cluster.name}",
            )
        if answer.status == 404 and resource.group in _KUBEVIRT and _no_such_kind(answer.text, call):
            return HostError(
                f"KubeVirt is not installed: there is no {resource.plural}.{resource.group}",
                code="H226",
                where=self.name,
                why=said,
                fix=f"install KubeVirt; see: kubectl get crd {resource.plural}.{resource.group}",
            )
        if answer.status in BUSY or answer.status >= 500:
            if request.changes and answer.status in UNSURE:
                return ReplyLost(
                    f"{' '.join(call.words)}: whether it was done is not known", where=self.name, why=said
                )
            return HostError(
                f"the API server is too busy, or broken ({answer.status})",
                code="H227",
                where=self.name,
                why=said,
                fix="try again later; see: kubectl get --raw /readyz?verbose",
            )
        return CommandFailed(
            f"{' '.join(call.words)} failed",
            exit_code=answer.status,
            stderr=said,
            where=self.name,
            why=said,
            code="C391",
        )


def _of_an_api(answer: HttpAnswer) -> bool:
    """Its answers are objects, but for the one about paths that it does not have."""
    text = answer.text.lstrip()
    return text.startswith("{") or (answer.status == 404 and text.startswith("404 page not found"))


def _no_such_kind(text: str, call: ApiCall) -> bool:
    """A list of a kind that is there is never 404; an object's Status names it."""
    return (
        call.verb in (Verb.LIST, Verb.CREATE) or "could not find the requested resource" in text or "{" not in text
    )
