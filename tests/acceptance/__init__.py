"""The acceptance of the whole: its three uses, by the command line, on a real cluster of two nodes.

`make acceptance` runs it, in some minutes. Nothing here imports the project: only commands, the
environment and stored files are used, so that it holds across a refactoring. studies/ has what is
trained, archive/ models that were trained before, figures/ what is expected of both.
"""
