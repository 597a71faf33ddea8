"""python -m scaling.check: the command without the full installation, such as Ray."""

import argparse
import sys

from scaling.check.command import add_arguments, check
from scaling.errors import InputError


def main() -> int:
    """Run the check; a user's mistake is one line and exit status 2."""
    parser = argparse.ArgumentParser(prog="python -m scaling.check", description=check.__doc__)
    add_arguments(parser)
    try:
        return check(parser.parse_args())
    except InputError as error:
        sys.stderr.write(f"scaling.check: {' '.join(str(error).split())}\n")
        return 2
    except KeyboardInterrupt:
        sys.stderr.write("scaling.check: stopped\n")
        return 130


if __name__ == "__main__":
    sys.exit(main())
