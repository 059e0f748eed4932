"""Replay one seed and show its course: python -m tests.sim SEED"""

import sys

from tests.sim.run import simulate
from tests.sim.seeds import scenario


def main() -> int:
    result = simulate(scenario(int(sys.argv[1])))
    print(result.scenario)
    for at, what in result.log:
        print(f"{at:9.2f} {what}")
    print("groups:", {name: state.value for name, state in result.groups.items()})
    print("violations:", result.violations or "none")
    return 1 if result.violations else 0


if __name__ == "__main__":
    sys.exit(main())
