"""Tables and figures over everything that ran."""

from lorescore.report.collect import Results, SetScore, collect
from lorescore.report.models import Evaluation, Model, Training
from lorescore.report.results import Report, write_report

__all__ = ["Evaluation", "Model", "Report", "Results", "SetScore", "Training", "collect", "write_report"]
