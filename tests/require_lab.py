"""Install what the lab needs, or say what is missing. Used by the Makefile before tests on real hosts."""

import sys

from reconciler.errors import ReconcilerError
from reconciler.lab import install_packages, missing_packages


def main() -> int:
    try:
        install_packages(lambda line: print(line, file=sys.stderr))
    except ReconcilerError as error:
        print(f"{error}\n{error.fix}", file=sys.stderr)
        return 1
    return 1 if missing_packages() else 0


if __name__ == "__main__":
    sys.exit(main())
