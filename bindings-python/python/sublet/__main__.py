"""The `sublet` command: `python -m sublet check policies/`."""

import sys

from ._sublet import command


def main() -> int:
    """Runs the command line and returns its exit code."""
    sys.stdout.flush()
    return command(["sublet", *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(main())
