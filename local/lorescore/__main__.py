"""`python -m lorescore VERB`: one verb a stage of the recipe. A verb parses, checks and calls the library."""

import argparse
import atexit
import gc
import importlib
import io
import logging
import sys
import warnings
from typing import NoReturn

from lorescore import __version__
from lorescore.cli.standard_output import flush_standard_output
from lorescore.errors import InputError

# Verb: (module under lorescore.cli, what it does). A verb's module is imported only when it is called.
VERBS = {
    "check": ("check", "stage 0: check every tool and package, with its version"),
    "espnet-sets": ("espnet_sets", "stages 3 to 7: where the decodes and references of an ESPnet recipe are"),
    "import-nbest": ("import_nbest", "stage 4: a decode (ESPnet's or another's) or lattices -> an N-best directory"),
    "convert": ("convert", "any stage: N-best lists from one format to another"),
    "subset": ("subset", "stage 4: some utterances of N-best directories -> an N-best directory"),
    "expand": ("expand", "stage 4: homophone versions of the hypotheses join N-best directories"),
    "fetch-plm": ("fetch_plm", "stage 4: fetch a PLM and check it"),
    "tag": ("tag", "stage 5: print the tag of a rescorer, the name of its directories"),
    "train": ("train", "stage 5: train a rescorer"),
    "combine": ("combine", "stage 6: add the scores of several rescorers, weights tuned on dev"),
    "rescore": ("rescore", "stage 6: score N-best lists, tune the weights on dev, choose hypotheses"),
    "ranks": ("mixed_ranks", "stage 6: the WER of an adapter of mixed-rank training at every rank"),
    "score": ("score", "stage 7: WER files of Kaldi, ESPnet and sclite"),
    "perturb": ("perturb", "stage 8: replace words by homophones"),
    "nprr": ("nprr", "stage 9: rescore perturbed lists and measure NPRR"),
    "report": ("report", "stage 10: tables and figures"),
}

# Objects between two searches for garbage, instead of Python's 700. Importing PyTorch and transformers makes hundreds
# of thousands, none of them garbage: to look through them meanwhile and at the end is a fifth of a short call's time.
COLLECT_EVERY = 10_000
UNREAD = 141  # as of a program that SIGPIPE ends (128 + 13): its reader has gone, and not all of its work is done


class ArgumentParser(argparse.ArgumentParser):
    """Ends as all bad input does: one line, and exit status 1."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong with the options."""
        self.exit(1, f"{self.prog}: {message} (--help lists the options)\n")


class HelpFormatter(argparse.ArgumentDefaultsHelpFormatter):
    """Tells the default of an option where there is one, and where its help does not tell it already."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        if action.default in (None, "", False, argparse.SUPPRESS) or "default" in (action.help or ""):
            return action.help
        return super()._get_help_string(action)


def program() -> int:
    """Run the verb of the command line as a process of its own; the exit status as that of `main`."""
    gc.set_threshold(COLLECT_EVERY)
    atexit.register(gc.freeze)
    return main()


def main(argv: list[str] | None = None) -> int:
    """Run a verb; the exit status: 0, 1 for bad input, or where it was ended from outside 130 or `UNREAD`."""
    argv = sys.argv[1:] if argv is None else argv
    parser = ArgumentParser(prog="lorescore", description=__doc__)
    parser.add_argument("--version", action="version", version=f"lorescore {__version__}")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    named = argv[0] if argv else ""
    for verb, (module_name, summary) in VERBS.items():
        verb_parser = verbs.add_parser(verb, help=summary, description=summary, formatter_class=HelpFormatter)
        if verb == named:
            try:
                module = importlib.import_module(f"lorescore.cli.{module_name}")
            except ModuleNotFoundError as error:
                return _missing(verb, error)
            module.add_arguments(verb_parser)
            verb_parser.set_defaults(run=module.run)
    if not argv:
        parser.print_help(sys.stderr)
        return 1
    args = parser.parse_args(argv)
    if isinstance(sys.stdout, io.TextIOWrapper):  # UTF-8 as in all files, whatever the locale is
        sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    for noisy in ("transformers", "peft", "matplotlib", "torch"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", category=FutureWarning)  # between our dependencies; nothing a user can mend
    try:
        args.run(args)
    except InputError as error:
        print(f"{parser.prog} {args.verb}: {error}", file=sys.stderr)
        return 1
    except ModuleNotFoundError as error:  # of what is imported only where it is needed
        return _missing(args.verb, error)
    except OSError as error:
        if error.filename:
            what = f"{error.filename}: {error.strerror}"
            print(f"{parser.prog} {args.verb}: {what} (check its permissions and the free space)", file=sys.stderr)
            return 1
        unwritten = flush_standard_output("\n")
        if unwritten is None:  # it was something else
            raise
        return UNREAD if isinstance(unwritten, BrokenPipeError) else _unwritten(args.verb, unwritten)
    except KeyboardInterrupt:
        print(f"{parser.prog} {args.verb}: interrupted; start it again to go on", file=sys.stderr)
        return 130
    unwritten = flush_standard_output()
    if unwritten is None or isinstance(unwritten, BrokenPipeError):  # who reads has enough, and all is done
        return 0
    return _unwritten(args.verb, unwritten)


def _missing(verb: str, error: ModuleNotFoundError) -> int:
    """Say which package is not installed; the exit status."""
    package = (error.name or "").partition(".")[0]
    if package in ("", "lorescore"):  # nothing that a user can mend
        raise error
    mend = "./run.sh --stage 0 --stop_stage 0 installs it, or pip install ."
    print(f"lorescore {verb}: {package} is missing ({mend})", file=sys.stderr)
    return 1


def _unwritten(verb: str, error: OSError) -> int:
    """Say why standard output cannot be written; the exit status."""
    mend = "free some space or choose another file"
    print(f"lorescore {verb}: standard output: {error.strerror} ({mend})", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(program())
