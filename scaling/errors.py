"""The one exception that a user is meant to read."""


class InputError(Exception):
    """Something the user gave cannot be used; the command line prints it as one line and exits 2.

    The message says what was got, what was expected and what to do.
    """
