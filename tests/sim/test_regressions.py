"""Scenarios that once violated an invariant, as the simulation prints them. Seeds only say what is random inside:
which scenario a number stands for changes with every shape and fault that is added."""

import re

import pytest

from reconciler.model.plan import StepKind
from tests.sim.checks import Scenario
from tests.sim.faults import Boundary, Fault, Point, Strike
from tests.sim.run import simulate

APART = Fault.ZOMBIE_APART.value
FOUND = (
    # two controllers with journals of their own, and the same or different specs
    f"seed 20021: move-postcopy restart: {APART} at reserve:in-effect (after 7); source-cut-off at"
    " confirm:in-effect (after 1)",
    f"seed 777820: move-elsewhere restart: {APART} at reserve:before-intent",
    f"seed 986166: move-elsewhere: {APART} at reserve:after-effect",
    f"seed 28666: move-elsewhere: {APART} at reserve:in-effect",
    f"seed 6063: moves-to-one on_disk,restart: {APART} at stage:after-outcome;"
    " connections-refused at reserve:in-effect (after 7); controller-killed at undo hold:in-effect (after 5)",
    "seed 4954: move-and-more on_disk,restart: connections-refused at commit:in-effect;"
    " controller-and-journal-lost at undo reserve:before-intent;"
    " controller-stopped-and-replaced at reserve:after-intent",
    f"seed 607: move-and-more: {APART} at stop:before-intent",
    f"seed 1095: move-elsewhere: all-cut-off at retire:after-intent; {APART} at restore:in-effect",
    f"seed 1178: moves-together restart: restore-fails at restore:before-intent; destination-reboots at undo"
    f" reserve:after-effect; {APART} at stage:in-effect (after 3); reply-lost at restore:in-effect (after 3)",
    f"seed 6469: move: restore-fails at restore:before-intent; source-reboots at undo commit:after-intent; {APART}"
    " at reserve:in-effect (after 1)",
    f"seed 183: recreate-elsewhere: unhealthy at confirm:before-intent; {APART} at undo set-aside:before-intent",
    f"seed 1997: move-elsewhere on_disk: controller-killed at stage:after-outcome; {APART} at"
    " reserve:before-intent",
    # a controller that goes back ended the page daemon of another one's restored copy
    f"seed 1295: moves-together on_disk,restart: {APART} at stage:after-intent",
    # a controller that stood still in going back freed the images of the next hand-over
    "seed 1262: move-restore-back on_disk: restore-fails at restore:before-intent; controller-and-journal-lost at"
    " undo commit:before-intent; controller-stopped-and-replaced at undo stage:in-effect (after 3)",
    # the source lost, and the journal: images at the destination are all that is left
    "seed 3205: moves-together restart: destination-cut-off at commit:after-intent; source-lost at"
    " commit:in-effect (after 4); controller-and-journal-lost at hold:in-effect (after 1)",
    f"seed 5052: move on_disk,restart: {APART} at create-network:before-intent; hook-killed at"
    " transfer:after-effect; source-lost at commit:after-effect",
    # what an earlier hand-over left in the way of the next
    f"seed 2013: move-and-more restart: all-cut-off at hold:after-intent; {APART} at stop:in-effect; reply-lost at"
    " undo hold:in-effect (after 1)",
    "seed 2764: move-and-more restart: restore-fails at restore:before-intent; controller-killed at undo"
    " stage:after-intent; all-cut-off at confirm:after-intent; controller-and-journal-lost at undo stage:in-effect"
    " (after 6)",
    # rebooted where it had gone, while newer specs name a third host
    "seed 3108: move-elsewhere on_disk: controller-stopped-and-replaced-by-one-with-another-journal at"
    " restore:before-intent; slow-host at reserve:in-effect (after 7); destination-reboots at retire:in-effect"
    " (after 7)",
    # the volume that had to make room was still mounted by a container that would never run
    "seed 702468: recreate-elsewhere: destination-reboots at confirm:before-intent;"
    " controller-stopped-and-replaced-by-one-with-another-journal at undo start:in-effect",
    # the simulation's own: a hook that was killed as its host went down let the source run all the same
    "seed 1583: swap on_disk,restart: source-lost at commit:after-intent; hook-killed at commit:before-intent;"
    " controller-stopped-and-replaced-by-one-with-another-journal at confirm:in-effect",
    # memory that takes very long to arrive, on a slow host: it does arrive
    "seed 701926: move-with-actions stay: source-cut-off at commit:after-effect; slow-host at stage:before-intent;"
    " pages-take-very-long at restore:before-intent",
    # a stop that was sent before the workload was put back, and arrived after it
    "seed 1311: recreate restart: unhealthy at confirm:before-intent; controller-stopped-and-replaced at undo"
    " start:before-intent; delivered-late at set-aside:in-effect (after 7)",
    # the new container and its data were removed when the host of the old ones was gone for good
    "seed 700809: recreate-elsewhere restart: unhealthy at confirm:before-intent; source-lost at undo"
    " copy-volume:in-effect; source-cut-off at undo start:after-effect",
    # a person removed a volume between the look at it and the container's making, and it was made again, empty
    *(
        f"seed {seed}: create-where-data-is-elsewhere stay: {APART} at create-volume:before-intent; reply-lost at"
        " undo start:in-effect (after 4)"
        for seed in (1691, 63)
    ),
    # who was told to resume the source arrived after another controller had retired it, and marked it as held
    "seed 2013: moves-to-one restart: all-cut-off at reserve:after-outcome;"
    " controller-stopped-and-replaced-by-one-with-another-journal at transfer:after-effect; all-cut-off at"
    " commit:in-effect (after 5)",
)
HEAD = re.compile(r"seed (\d+): ([a-z-]+)(?: ([a-z_,]+))?: (.*)")
STRIKE = re.compile(r"([a-z-]+) at (undo )?([a-z-]+):([a-z-]+)(?: \(after (\d+)\))?")


def parse(text: str) -> Scenario:
    head = HEAD.fullmatch(text)
    assert head, text
    seed, shape, settings, strikes = head.groups()
    found = []
    for strike in strikes.split("; "):
        parts = STRIKE.fullmatch(strike)
        assert parts, strike
        fault, undo, kind, point, skip = parts.groups()
        found.append(Strike(Boundary(StepKind(kind), bool(undo), Point(point)), Fault(fault), int(skip or 0)))
    return Scenario(int(seed), shape, tuple(found), **dict.fromkeys(settings.split(",") if settings else (), True))


@pytest.mark.parametrize("text", FOUND, ids=lambda text: text.partition(":")[0])
def test_it_stays_mended(text):
    scenario = parse(text)
    assert str(scenario) == text
    assert simulate(scenario).violations == []
