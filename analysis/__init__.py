"""Analyse Parquet files: `from analysis import load, fit, report`. Needs neither torch nor Ray."""

from analysis.forecasts.preregistered import Outlook, forecast
from analysis.laws.fit import Fit, fit
from analysis.report.build import report
from analysis.results.load import Results, load

__all__ = ["Fit", "Outlook", "Results", "fit", "forecast", "load", "report"]
