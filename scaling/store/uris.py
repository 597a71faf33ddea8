"""Refuse addresses of results that hold a key."""

import re
from urllib.parse import parse_qsl, unquote

from scaling.errors import InputError
from scaling.untrusted import visible

# The options of pyarrow's URIs that are no keys.
HARMLESS = (
    *("region", "scheme", "endpoint_override", "allow_bucket_creation", "allow_bucket_deletion"),
    *("check_directory_existence_before_creation", "force_virtual_addressing"),
    *("retry_limit_seconds", "enable_tls", "blob_storage_authority", "dfs_storage_authority"),
    *("replication", "buffer_size", "default_block_size"),
)


def check_uri(out: str) -> None:
    """Raise InputError for a URI with a password, which would appear in plans, logs and reports."""
    scheme, separator, rest = out.partition("://")
    address, _, query = rest.partition("?")
    options = parse_qsl(query, keep_blank_values=True)
    keys = _has_password(address) or any(_has_password(value) for _, value in options)
    if separator and keys:
        raise InputError(
            f"--out {scheme}://... holds a key, which would be written into logs and reports: set"
            " AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in its place"
        )
    if separator and (odd := [name for name, _ in options if name not in HARMLESS]):
        raise InputError(
            f"--out {scheme}://... has the option '{visible(odd[0])[:40]}', which may be a key and"
            " would be written into logs and reports: set the environment of your cloud's own"
            f" tools in its place, as AWS_SECRET_ACCESS_KEY; options are {', '.join(HARMLESS)}"
        )


def _has_password(address: str) -> bool:
    """Return whether an address holds USER:PASSWORD@, also where it is escaped."""
    user, at, _ = unquote(address).rpartition("@")
    user = user.rpartition("://")[2]
    return bool(at) and ":" in user and re.match(r"[^/:]+:\d+/", user) is None
