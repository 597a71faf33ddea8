"""The token of a Ray cluster: whoever reads it can run anything there, so its file is private."""

import os
import stat
import sys
from pathlib import Path

PRIVATE = 0o600


def token_file() -> Path:
    """Where Ray looks for the token, unless RAY_AUTH_TOKEN holds it."""
    return Path(expanded(os.environ.get("RAY_AUTH_TOKEN_PATH") or "~/.ray/auth_token"))


def expanded(path: str) -> str:
    """Expand `~`, which stays where HOME is unset and the machine does not know the user."""
    return os.path.expanduser(path)  # noqa: PTH111  Path's own raises an error there


def keep_private() -> None:
    """Make a token file that others may read readable by its owner only, and say so.

    Ray writes it with the mode that the umask leaves, usually 0644. What cannot be changed (it is
    somebody else's, or mounted read-only) is said too; it stops nobody's work.
    """
    path = token_file()
    if not os.access(path, os.F_OK):
        return
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        if not mode & 0o077:
            return
        path.chmod(PRIVATE)
    except OSError as error:
        _say(f"others may read Ray's token in {path} ({error.strerror}): chmod 600 it")
        return
    _say(f"others could read Ray's token in {path} (mode {mode:04o}): it is {PRIVATE:04o} now")


def _say(text: str) -> None:
    print(f"scaling: {text}", file=sys.stderr)
