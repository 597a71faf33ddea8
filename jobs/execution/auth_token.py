"""Keep the token of a Ray cluster private: with it, any user can run anything there."""

import os
import secrets
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


def provide() -> None:
    """Make the user's token where there is none, before Ray does: its file would be open to all.

    Where the file cannot be written, the token lives as long as this process and its children.
    """
    if {"RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"} & os.environ.keys():
        return  # the user's own business, or the cluster's
    if os.environ.get("RAY_AUTH_MODE", "token").lower() != "token":
        return
    path, token = token_file(), secrets.token_hex(32)
    try:
        if path.parts[:1] == ("~",):  # no HOME, and a user whom this machine does not know
            raise FileNotFoundError(path)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.touch(PRIVATE, exist_ok=False)
        path.write_text(token, encoding="utf-8")
    except FileExistsError:
        keep_private()
    except OSError:
        if not os.access(path, os.F_OK):
            os.environ["RAY_AUTH_TOKEN"] = token


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
