"""Tell losses for want of memory from others, by their words. No Ray."""

import re

LOW_MEMORY = re.compile(r"low on memory|out of memory", re.IGNORECASE)


def ran_out_of_memory(error: BaseException) -> bool:
    """Tell whether a node, a process or a GPU had too little memory for a trial."""
    return isinstance(error, MemoryError) or bool(LOW_MEMORY.search(flat(error)))


def flat(error: BaseException) -> str:
    """Return the words of an error in one line."""
    return " ".join(plain(error).split())


def plain(text: object) -> str:
    """Return text without the colours that Ray puts into it."""
    return re.sub(r"\x1b\[\d+m", "", str(text))
