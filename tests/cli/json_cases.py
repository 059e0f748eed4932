"""Cases of `test_json` that have scenes of their own."""

from tests.cli.json_drains import OF_DRAINS, WRONG_OF_DRAINS
from tests.cli.json_fences import OF_FENCES, WRONG_OF_FENCES
from tests.cli.json_watches import OF_WATCHES, WRONG_OF_WATCHES

MORE = {**OF_DRAINS, **OF_FENCES, **OF_WATCHES}
MORE_WRONG = {**WRONG_OF_DRAINS, **WRONG_OF_FENCES, **WRONG_OF_WATCHES}
