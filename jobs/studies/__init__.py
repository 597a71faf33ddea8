"""Find studies: one file a question, here or in a Python file of the user's with a STUDY."""

import importlib
import pkgutil
import runpy
from collections.abc import Iterator
from pathlib import Path

from scaling.errors import InputError
from scaling.study import Study


def names() -> list[str]:
    """Return the names of the built-in studies."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def all_studies() -> Iterator[Study]:
    """Return the built-in studies."""
    return (find_study(name) for name in names())


def find_study(name: str) -> Study:
    """Return the study of this name or Python file. Raises InputError if there is none."""
    if name in names():
        found = importlib.import_module(f"{__name__}.{name}").STUDY
    elif name.endswith(".py"):
        found = _from_file(Path(name))
    else:
        raise InputError(
            f"unknown study '{name}': expected {', '.join(names())}, or the path of a Python file"
            " with a STUDY in it"
        )
    if not isinstance(found, Study):
        raise InputError(f"{name}: STUDY is {type(found).__name__}, expected scaling.study.Study")
    found.check_baselines()
    return found


def _from_file(path: Path) -> object:
    if not path.is_file():
        raise InputError(f"study {path}: no such file")
    try:
        # Not by an import, which may use bytecode from before an edit within the last second.
        found = runpy.run_path(str(path), run_name=path.stem)
    except Exception as error:  # the user's own code may raise any exception
        raise InputError(f"study {path}: {type(error).__name__}: {error}") from error
    if "STUDY" not in found:
        raise InputError(f"study {path}: expected a variable STUDY, a scaling.study.Study")
    return found["STUDY"]
