"""The exception whose message is for users."""


class InputError(Exception):
    """Unusable input of a user; the command line prints the message as one line and exits with 2.

    The message names the value, the expected one and a remedy.
    """
