"""Parquet in, conclusions out: `from analysis import load, fit, report`. No torch, no Ray."""

from analysis.fit import Fit, fit
from analysis.forecasts import Outlook, forecast
from analysis.load import Results, load
from analysis.report import report

__all__ = ["Fit", "Outlook", "Results", "fit", "forecast", "load", "report"]
