"""Report on 2055: the fitted law, the range of its forecasts, and the limits of this study."""

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
    """Return the law with its range, the forecast with its reach, and what remains undetermined."""
    law, ahead, far = curve["law"], curve["ahead"], curve["far"]
    title = curve["title"]
    text = f"From {curve['n_low']:,} to {curve['n_high']:,} training images no power law, with a"
    text += f" floor or without, holds for the test error of “{title}”"
    if law is not None:
        alpha, floor = law["params"]["alpha"], law["params"].get("E")
        text = (
            f"From {curve['n_low']:,} to {curve['n_high']:,} training images the test error of"
            f" “{title}” falls as a power of their number, with exponent"
            f" {link(number(alpha), 'fits')} ({level}: {interval(law['intervals']['alpha'])})"
        )
        if floor is not None:
            ends = interval(law["intervals"]["E"], percent=True)
            text += f", to a floor of {link(percent(floor), 'fits')} ({ends})"
    text += (
        f". At {number(ahead['times'])} times as many the forecast is {percent(ahead['error'])}"
        f" ({percent(ahead['low'])} to {percent(ahead['high'])}, calibrated). The error at"
        f" {scientific(far['n_train'])} images, {scientific(far['times'])} times those of 1989,"
    )
    if far["determined"]:
        return f"{text} is {_allowed(far)} by every form that is not rejected."
    return f"{text} cannot be determined from this study{_because(far)}."


def _because(far: Data) -> str:
    if not far["kept"]:
        return f": all {len(far['forms'])} forms that were tried are rejected"
    return (
        f": the data do not reject {far['kept']} of {len(far['forms'])} forms, and these allow"
        f" {_allowed(far)}"
    )


def _allowed(far: Data) -> str:
    return link(f"{percent(far['low'])} to {percent(far['high'])}", table_anchor(FUTURE))


def _too_few(data: Data) -> str:
    return (
        "The error with more data cannot be determined from this study. A forecast needs a curve of"
        f" at least {data['least_sizes']} sizes with misses; the longest here has"
        f" {data['most_sizes']} (missing: `scaling sweep data`)."
    )


def _of_forms(data: Data, curve: Data) -> str:
    far, (near, ratio) = curve["far"], data["tested_ratios"]
    text = (
        f"That is {scientific(far['beyond'])} times the largest set that was trained; forecast"
        f" intervals were tested on other curves at ratios of {near:g} to {ratio:g} only. A form is"
        f" rejected below p = {far['p_rejected']:g}, if the sizes do not fit it within their noise"
        " or its fit without the last octave does not predict the errors there."
    )
    if curve["seeds"] == 1:
        text += " With one seed the noise is unknown, so that no form can be rejected."
    if curve["limit"] is not None:
        text += (
            f" At one size fewer than one test image is missed, which allows {percent(0.0)} to"
            f" {percent(curve['limit'])}: a floor cannot be distinguished from no floor."
        )
    floors = [f["floor"] for f in far["forms"] if not f["rejected"] and f["floor"] is not None]
    if floors and curve["limit"] is None:
        text += (
            f" The floors of the forms that are not rejected are {percent(min(floors))} to"
            f" {percent(max(floors))}."
        )
    if far["label_noise"] is not None:
        text += (
            f" {percent(far['label_noise'])} of the test labels are known to be wrong: a test error"
            " near that share does not measure the network."
        )
    return text


def _of_trends(data: Data) -> str:
    cited = {found["name"]: found["cited"] for found in data["outlooks"]}
    trends = table_anchor(FUTURE, len(data["curves"]) + 1)
    missed = ", ".join(
        f"{name} by {link(format(c['missed'], '.1f'), trends)} ({100 * c['coverage']:.0f} %)"
        for name, c in cited.items()
    )
    return (
        "The trends below are scenarios, not forecasts. Log-linear fits to systems before"
        f" {data['before']}, extrapolated to {data['now']}, missed by these orders of magnitude"
        f" (in brackets the coverage of their nominal {100 * data['level']:.0f} % intervals):"
        f" {missed}. These misses are cited: the systems are not part of this project. This report"
        f" computes each trend from the network of {data['then']} to one of {data['network']}"
        f" ({data['network_name']}); most trends were fitted to years they are tested on, and the"
        " table gives the share of these years."
    )


def _of_times(data: Data) -> str:
    published, own = data["published_seconds"], data["measured"]
    text = (
        f"The training that took {seconds(published['1989'])} in 1989 took"
        f" {seconds(published['2022'])} on a laptop in 2022"
    )
    if own is None:
        return f"{text}. This folder has no training of it (missing: `scaling sweep ladder`)."
    slowest, fastest = map(number, own["by_hardware"])
    times = table_anchor(FUTURE, len(data["curves"]) + 2)
    return (
        f"{text}. Here it takes {seconds(own['seconds'])} of one core (engine {own['engine']},"
        f" median of {own['runs']}), {number(own['faster'])} times less. Trends of hardware explain"
        f" {link(f'{slowest} to {fastest}', times)} times since then; the rest is software."
    )


def _picture_of_forms(data: Data, level: str) -> Picture:
    far = data["curves"][0]["far"]
    return Picture(
        name=FORMS,
        alt="Test error against training images from a thousand to a hundred billion",
        caption="Grey: the trained sizes, with the fitted law. Fan: the calibrated"
        f" {level} interval to {number(data['curves'][0]['ahead']['times'])} times the largest."
        " Hatched: the union of the intervals of all forms that are not rejected, each as if it"
        f" were true, to {scientific(far['n_train'])} images.",
    )


def _picture_of_trends() -> Picture:
    return Picture(
        name=TRENDS,
        alt="Parameters, data, compute and training time in 1989, 2022 and 2055",
        caption="Scenarios, not forecasts. Solid, with the interval of the slope: each trend,"
        " extrapolated. Dotted, to the crosses: the same trend from 1989, its backtest. Grey: the"
        " shortfall of fits to systems before 1990, and as much to either side of one scenario."
        " Stars: forecasts of the write-up of 2022.",
    )
