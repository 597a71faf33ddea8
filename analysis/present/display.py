"""Short displays of this package's values for notebooks and the REPL."""

from collections.abc import Mapping
from html import escape
from typing import Any, Protocol

from matplotlib.axes import Axes

from scaling.untrusted import visible

MOST = 5  # studies listed by name


class Folder(Protocol):
    """A results folder that can be displayed; analysis.results.load.Results is one."""

    @property
    def store(self) -> Any: ...
    @property
    def plans(self) -> Mapping[str, Mapping[str, Any]]: ...
    @property
    def models(self) -> Any: ...
    @property
    def metrics(self) -> Any: ...
    @property
    def state(self) -> Any: ...

    def counts(self) -> dict[str, int]: ...


class NotebookAxes(Axes):
    """Axes that a notebook shows as a picture, and that can be saved without a window."""

    def _repr_png_(self) -> bytes:
        from analysis.present.style import as_png

        return as_png(self._whole())

    def savefig(self, *args: Any, **kwargs: Any) -> None:
        """Save the figure, as matplotlib.figure.Figure.savefig does."""
        self._whole().savefig(*args, **kwargs)

    def _whole(self) -> Any:
        return self.get_figure(root=True)


class Numbers(dict[str, Any]):
    """The numbers of a report: a dict whose display is its keys, as numbers.json is long."""

    def __repr__(self) -> str:
        return (
            f"<numbers of a report: {self.get('models', 0):,} models, {len(self.get('curves', ()))}"
            f" curves, {len(self.get('sections', ()))} sections; keys: {', '.join(map(str, self))}>"
        )


def folder_text(folder: Folder) -> str:
    """Return a summary of a results folder: its counts and its tables."""
    counts = folder.counts()
    return (
        f"<results of {_short(folder.store.out)}: {_studies(folder)};"
        f" {counts['finished']:,} of {counts['cells']:,} cells finished,"
        f" {counts['failed']:,} failed, {counts['missing']:,} missing; {_trouble(folder)}.\n"
        f" .models: {len(folder.models):,} rows, one a model; .metrics: {len(folder.metrics):,}"
        " rows, one an evaluated epoch; .wrong and .predicted: test images by run_id;"
        " analysis.report(...) writes the report>"
    )


def folder_html(folder: Folder) -> str:
    """Return that summary with a table of the studies, for a notebook."""
    rows = "".join(
        f"<tr><td>{escape(name)}</td><td>{escape(_short(plan.get('question', '')))}</td>"
        f"<td>{len(plan['cells']):,}</td>"
        f"<td>{sum(len(cell['members']) for cell in plan['cells']):,}</td></tr>"
        for name, plan in list(folder.plans.items())[:MOST]
    )
    head = "<tr><th>study</th><th>question</th><th>cells</th><th>models planned</th></tr>"
    text = escape(folder_text(folder)[1:-1]).replace("\n", "<br>")
    return f"<p>{text}</p><table>{head}{rows}</table>"


def _studies(folder: Folder) -> str:
    names = list(folder.plans)
    more = f" and {len(names) - MOST} more" if len(names) > MOST else ""
    return f"{len(names)} studies ({', '.join(map(_short, names[:MOST]))}{more})"


def _trouble(folder: Folder) -> str:
    failed, torn = len(folder.state.failures), len(folder.state.corrupt)
    return f"{failed:,} failures stored, {torn:,} files unreadable"


def _short(text: str, most: int = 100) -> str:
    text = visible(str(text))
    return text if len(text) <= most else f"{text[: most // 2]}…{text[-most // 2 :]}"
