"""Where libraries keep their own files on a machine that lends them no place.

In a container HOME is often read-only or missing, and sometimes /tmp is too. Matplotlib, PyTorch
and Ray then warn or fail as soon as they start; folders in our cache take the place of both.
"""

import logging
import os
import secrets
import tempfile
from pathlib import Path

from jobs.token import expanded, token_file
from scaling.cache import cache_dir
from scaling.errors import InputError

# Where Matplotlib looks for its two folders, and where it does so if that is not set.
XDG = {"XDG_CONFIG_HOME": "~/.config", "XDG_CACHE_HOME": "~/.cache"}


def take_shelter() -> None:
    """Set TMPDIR and MPLCONFIGDIR to folders in the cache where the usual ones cannot be written.

    What the user has set stays. Raises InputError where no folder at all can be written.
    """
    try:
        tempfile.gettempdir()
    except FileNotFoundError:
        spare = _made(cache_dir() / "tmp")
        if spare is None:
            raise InputError(
                f"neither the cache {cache_dir()} nor a temporary folder can be written: name a"
                " folder of yours in SCALING_CACHE_DIR"
            ) from None
        os.environ["TMPDIR"] = spare
    usual = [os.environ.get(name) or expanded(home) for name, home in XDG.items()]
    if os.environ.get("MPLCONFIGDIR") or all(can_be_made(Path(x, "matplotlib")) for x in usual):
        return
    if spare := _made(cache_dir() / "matplotlib"):
        os.environ["MPLCONFIGDIR"] = spare
    else:  # it makes a temporary one and warns of that at length
        logging.getLogger("matplotlib").setLevel(logging.ERROR)


def lend_token() -> None:
    """Give a Ray that starts here a token of its own where its file cannot be written.

    Ray writes one into HOME, and fails where it cannot. This one lives as long as this process.
    """
    given = {"RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"} & os.environ.keys()
    path = token_file()
    if not (given or os.access(path, os.F_OK) or can_be_made(path)):
        os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)


def can_be_made(path: Path) -> bool:
    """Whether this process may write a file or folder, or make it with the folders above it."""
    if path.parts[:1] == ("~",):  # no HOME, and a user whom this machine does not know
        return False
    whole = path.absolute()  # not Path.exists(), which fails below a folder that is closed to us
    there = next(part for part in (whole, *whole.parents) if os.access(part, os.F_OK))
    return os.access(there, os.W_OK) and (there == whole or there.is_dir())


def _made(folder: Path) -> str | None:
    """The folder as text, made if need be; None where it cannot be made or written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    return str(folder.absolute()) if os.access(folder, os.W_OK) else None
