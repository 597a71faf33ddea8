"""Studies, and the commands that run them, in this process or on Ray."""

import sys
from pathlib import Path


def leave_out_the_working_folder() -> None:
    """Take the folder that `python -m` searches first off the path, unless this code lies there.

    It may hold somebody's results, and a numpy.py among them.
    """
    ours = Path(__file__).resolve().parents[1]
    if not sys.flags.safe_path and Path(sys.path[0]).resolve() != ours:
        del sys.path[0]
