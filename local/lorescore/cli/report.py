"""The verb `report`: stage 10, tables and figures over everything that ran."""

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the verb."""
    parser.add_argument("--exp_dir", type=Path, default=Path("exp"), help="what the stages wrote; the report goes here")


def run(args: argparse.Namespace) -> None:
    """Write the report and print its main tables and where everything is.

    Raises:
        InputError: Nothing ran yet, or a file is not what its stage writes.
    """
    from lorescore.report import write_report  # imports matplotlib

    report = write_report(args.exp_dir)
    print(report.main_tables.lstrip("\n"))
    if report.cost:
        print(report.cost_table)
    for path in (report.path, report.page, report.examples, report.cost, *report.figures):
        if path is not None:
            print(path)
