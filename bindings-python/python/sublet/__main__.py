"""The `sublet` command: `python -m sublet check policies/`."""

import sys

from ._sublet import command


def main() -> int:
    """Run the command line and give its exit code."""
    sys.stdout.flush()
    return command(["sublet", *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(main())
