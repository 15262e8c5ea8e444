"""Tables and figures over everything that ran."""

from lorescore.report.collect import Results, collect
from lorescore.report.models import Evaluation, Model, Training
from lorescore.report.results import Report, write_report
from lorescore.report.scores import SetScore

__all__ = ["Evaluation", "Model", "Report", "Results", "SetScore", "Training", "collect", "write_report"]
