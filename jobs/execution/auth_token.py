"""Keep the token of a Ray cluster private: with it, any user can run anything there."""

import os
import stat
import sys
from pathlib import Path

PRIVATE = 0o600


def token_file() -> Path:
    """Return the path of the token, which RAY_AUTH_TOKEN replaces."""
    return Path(expanded(os.environ.get("RAY_AUTH_TOKEN_PATH") or "~/.ray/auth_token"))


def expanded(path: str) -> str:
    """Expand `~`, which stays where HOME is unset and the machine does not know the user."""
    return os.path.expanduser(path)  # noqa: PTH111  Path's own raises an error there


def keep_private() -> None:
    """Make a token file that others may read readable by its owner only, and report it.

    Ray writes it with the mode that the umask leaves, usually 0644. A file that cannot be changed
    (another user's, or mounted read-only) is reported too, and the work goes on.
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
