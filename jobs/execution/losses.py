"""Tell by its words why and where a trial was lost. No Ray."""

import re

LOW_MEMORY = re.compile(r"low on memory|out of memory", re.IGNORECASE)
NODE_ID = re.compile(r",? ?(?:Node )?I[Dd]: ([0-9a-f]{56})\b")


def ran_out_of_memory(error: BaseException) -> bool:
    """Tell whether a node, a process or a GPU had too little memory for a trial."""
    return isinstance(error, MemoryError) or bool(LOW_MEMORY.search(flat(error)))


def node_of(error: BaseException) -> str:
    """Return the id of the node that an error of Ray names; nothing if it names none."""
    found = NODE_ID.search(flat(error))
    return found.group(1) if found else ""


def flat(error: BaseException) -> str:
    """Return the words of an error in one line."""
    return " ".join(plain(error).split())


def plain(text: object) -> str:
    """Return text without the colours that Ray puts into it."""
    return re.sub(r"\x1b\[\d+m", "", str(text))
