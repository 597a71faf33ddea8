"""2055: what the fitted law says, how far, and what nobody can know from this study."""

from collections.abc import Mapping

from matplotlib.figure import Figure

from analysis.present.formatting import interval, number, percent, scientific, seconds
from analysis.present.links import link, table_anchor
from analysis.report.sections.future_plots import draw_forms, draw_trends
from analysis.report.sections.future_tables import (
    table_of_forms,
    table_of_sources,
    table_of_times,
    table_of_trends,
)
from analysis.report.sections.section import Data, Picture, Section

FUTURE, FORMS, TRENDS = "2055", "future_forms", "future_trends"


def draw(data: Data) -> Mapping[str, Figure]:
    forms = {FORMS: draw_forms(data)} if data["curves"] else {}
    return {**forms, TRENDS: draw_trends(data)}


def show(data: Data) -> Section:
    level = f"{100 * data['level']:.0f} %"
    text = [_sentence(data["curves"][0], level) if data["curves"] else _too_few(data)]
    if data["curves"]:
        text.append(_of_forms(data, data["curves"][0]))
    text += [_of_trends(data), _of_times(data)]
    tables = [table_of_forms(curve) for curve in data["curves"]]
    tables += [table_of_trends(data), table_of_times(data), table_of_sources(data)]
    pictures = (*([_picture_of_forms(data, level)] if data["curves"] else []), _picture_of_trends())
    return Section(title="2055", text=tuple(text), tables=tuple(tables), pictures=pictures)


def _sentence(curve: Data, level: str) -> str:
    """The law with its range, the forecast with its reach, and what cannot be determined."""
    law, ahead, far = curve["law"], curve["ahead"], curve["far"]
    title = curve["title"]
    said = f"From {curve['n_low']:,} to {curve['n_high']:,} training images no power law, with a"
    said += f" floor or without, holds for the test error of “{title}”"
    if law is not None:
        alpha, floor = law["params"]["alpha"], law["params"].get("E")
        said = (
            f"From {curve['n_low']:,} to {curve['n_high']:,} training images the test error of"
            f" “{title}” falls as a power of their number, with exponent"
            f" {link(number(alpha), 'fits')} ({level}: {interval(law['intervals']['alpha'])})"
        )
        if floor is not None:
            ends = interval(law["intervals"]["E"], percent=True)
            said += f", to a floor of {link(percent(floor), 'fits')} ({ends})"
    said += (
        f"; at {number(ahead['times'])} times that it is forecast to be {percent(ahead['error'])}"
        f" ({percent(ahead['low'])} to {percent(ahead['high'])}, calibrated); and what it is at"
        f" {scientific(far['n_train'])} images, {scientific(far['times'])} times those of 1989,"
    )
    if far["determined"]:
        return f"{said} every form that is not rejected puts at {_allowed(far)}."
    return f"{said} cannot be determined from this study{_because(far)}."


def _because(far: Data) -> str:
    if not far["kept"]:
        return f": all {len(far['forms'])} forms that were tried are rejected"
    return (
        f": {far['kept']} of {len(far['forms'])} forms are not rejected by the data, and they allow"
        f" {_allowed(far)}"
    )


def _allowed(far: Data) -> str:
    return link(f"{percent(far['low'])} to {percent(far['high'])}", table_anchor(FUTURE))


def _too_few(data: Data) -> str:
    return (
        "What the error would be with more data cannot be determined from this study: it takes a"
        f" curve of {data['least_sizes']} sizes with misses at least, the longest here has"
        f" {data['most_sizes']} (missing: `scaling sweep data`)."
    )


def _of_forms(data: Data, curve: Data) -> str:
    far, (near, ratio) = curve["far"], data["tested_ratios"]
    said = (
        f"That is {scientific(far['beyond'])} times the largest set that was trained; intervals"
        f" that look ahead have been tested on other curves at ratios of {near:g} to {ratio:g}"
        f" only. A form is rejected below p = {far['p_rejected']:g}, if the sizes do not fit it"
        " within their noise or its fit without the last octave does not meet what came there."
    )
    if curve["seeds"] == 1:
        said += " With one seed the noise is not known, so that no form can be rejected."
    if curve["limit"] is not None:
        said += (
            f" At a size hardly an image of the test set is missed, which allows {percent(0.0)} to"
            f" {percent(curve['limit'])}: no floor can be told from none."
        )
    floors = [f["floor"] for f in far["forms"] if not f["rejected"] and f["floor"] is not None]
    if floors and curve["limit"] is None:
        said += (
            f" The floors of those that are not rejected are {percent(min(floors))} to"
            f" {percent(max(floors))}."
        )
    if far["label_noise"] is not None:
        said += (
            f" And {percent(far['label_noise'])} of the test labels are known to be wrong, so that"
            " near that a test error says nothing of the network."
        )
    return said


def _of_trends(data: Data) -> str:
    cited = {found["name"]: found["cited"] for found in data["outlooks"]}
    trends = table_anchor(FUTURE, len(data["curves"]) + 1)
    missed = ", ".join(
        f"{name} by {link(format(c['missed'], '.1f'), trends)} ({100 * c['coverage']:.0f} %)"
        for name, c in cited.items()
    )
    return (
        "The trends below are scenarios and no forecasts. Log-linear fits to systems before"
        f" {data['before']}, carried on to {data['now']}, missed by so many orders of magnitude"
        f" (and of systems so many lay in their nominal {100 * data['level']:.0f} % intervals):"
        f" {missed}; that is cited, as the systems it was made from are no part of this project."
        f" What is computed here is each trend from the network of {data['then']} on to one of"
        f" {data['network']} ({data['network_name']}); most had seen years they are tested on,"
        " which is said beside them."
    )


def _of_times(data: Data) -> str:
    published, own = data["published_seconds"], data["measured"]
    said = (
        f"The training that took {seconds(published['1989'])} in 1989 took"
        f" {seconds(published['2022'])} on a laptop in 2022"
    )
    if own is None:
        return (
            f"{said}. No training of it is here to be measured (missing: `scaling sweep ladder`)."
        )
    slowest, fastest = map(number, own["by_hardware"])
    times = table_anchor(FUTURE, len(data["curves"]) + 2)
    return (
        f"{said}, and takes {seconds(own['seconds'])} of one core here (engine {own['engine']},"
        f" median of {own['runs']}): {number(own['faster'])} times less, of which"
        f" hardware's trends give {link(f'{slowest} to {fastest}', times)} times since; the rest is"
        " software, which no trend of hardware foresaw."
    )


def _picture_of_forms(data: Data, level: str) -> Picture:
    far = data["curves"][0]["far"]
    return Picture(
        name=FORMS,
        alt="Test error against training images from a thousand to a hundred billion",
        caption="Grey: the sizes that were trained, with the fitted law. Fan: the calibrated"
        f" {level} interval to {number(data['curves'][0]['ahead']['times'])} times the largest."
        " Hatched: all that the forms which are not rejected allow, each by its own interval as if"
        f" it were true, to {scientific(far['n_train'])} images.",
    )


def _picture_of_trends() -> Picture:
    return Picture(
        name=TRENDS,
        alt="Parameters, data, compute and training time from 1989 by 2022 to 2055",
        caption="Scenarios, no forecasts. Solid, with the interval of the slope: each trend carried"
        " on. Dotted, to the crosses: the same trend from 1989, its back-test. Grey: by how much"
        " fits to systems before 1990 fell short, and as much to either side of one scenario."
        " Stars: what the write-up of 2022 foresees.",
    )
