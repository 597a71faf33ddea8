"""Give libraries a place for their own files on a machine where the usual ones are read-only.

In a container HOME is often read-only or missing, and sometimes /tmp is too. Matplotlib, PyTorch
and Ray then warn or fail as soon as they start; folders in our cache take the place of both.
"""

import logging
import os
import tempfile
from pathlib import Path

from jobs.execution.auth_token import expanded
from scaling.cache import cache_dir
from scaling.errors import InputError

# Where Matplotlib looks for its two folders, and where it does so if that is not set.
XDG = {"XDG_CONFIG_HOME": "~/.config", "XDG_CACHE_HOME": "~/.cache"}


def take_shelter() -> None:
    """Set TMPDIR and MPLCONFIGDIR to folders in the cache where the usual ones cannot be written.

    What the user has set stays if it works. Raises InputError where no folder can be written.
    """
    if not os.access(os.environ.get("TMPDIR") or "/tmp", os.W_OK):
        if spare := _made(cache_dir() / "tmp"):
            os.environ["TMPDIR"] = spare
            tempfile.tempdir = None  # it remembers what it found before
        try:
            tempfile.gettempdir()
        except FileNotFoundError:
            raise InputError(
                f"neither the cache {cache_dir()} nor a temporary folder can be written: name a"
                " folder of yours in SCALING_CACHE_DIR"
            ) from None
    usual = [os.environ.get(name) or expanded(home) for name, home in XDG.items()]
    if os.environ.get("MPLCONFIGDIR") or all(can_be_made(Path(x, "matplotlib")) for x in usual):
        return
    if spare := _made(cache_dir() / "matplotlib"):
        os.environ["MPLCONFIGDIR"] = spare
    else:  # it makes a temporary one and warns of that at length
        logging.getLogger("matplotlib").setLevel(logging.ERROR)


def can_be_made(path: Path) -> bool:
    """Tell whether this process may write a path, or make it with the folders above it."""
    if path.parts[:1] == ("~",):  # no HOME, and a user whom this machine does not know
        return False
    whole = path.absolute()  # not Path.exists(), which fails below a folder that is closed to us
    there = next(part for part in (whole, *whole.parents) if os.access(part, os.F_OK))
    return os.access(there, os.W_OK) and (there == whole or there.is_dir())


def _made(folder: Path) -> str | None:
    """Make a folder if need be and return it as text; None where it cannot be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    return str(folder.absolute()) if os.access(folder, os.W_OK) else None
