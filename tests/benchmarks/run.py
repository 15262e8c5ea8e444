"""Benchmarks: scoring, training, the NPRR sweep, growth, share of the machine's rate, and the approximations.

    python tests/benchmarks/run.py --lists demo=exp/nbest/test --plm_dir exp/plm_base/smollm2_clm

It writes RESULTS.md and results.json. Each part, a section on one set of lists, is saved when it is measured, and the
tables are of everything that results.json holds: parts can be measured one at a time (--only, --lists), and a run that
was stopped goes on with --resume. Everything is measured on the CPU. It needs the packages of the extra `bench`.
"""

import argparse
import os
import sys
import tempfile
from dataclasses import fields
from pathlib import Path

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # the tokenizers have threads of their own
LOCAL = Path(__file__).resolve().parents[2] / "local"
sys.path.append(str(LOCAL))  # PYTHONPATH goes first: the same benchmark runs on another checkout

import torch  # noqa: E402
from measure import conditions  # noqa: E402
from results import Results  # noqa: E402
from samples import NamedLists  # noqa: E402
from sections import Context, Section, growth, history, quantize, rate, scoring, sweep, training  # noqa: E402

from lorescore.choices import require_choice  # noqa: E402
from lorescore.errors import InputError  # noqa: E402
from lorescore.files import atomic_write, read_yaml  # noqa: E402
from lorescore.plm.settings import PlmSettings  # noqa: E402
from lorescore.scoring.rescorer import Rescorer  # noqa: E402

SECTIONS: dict[str, Section] = {
    module.SECTION.name: module.SECTION for module in (scoring, training, sweep, growth, rate, history, quantize)
}
HERE = Path(__file__).resolve().parent
DEFAULT_LISTS = ("demo=exp/nbest/test",)


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default=",".join(SECTIONS), help="sections, separated by commas (all: %(default)s)")
    parser.add_argument("--lists", nargs="+", default=DEFAULT_LISTS, metavar="NAME=NBEST_DIR", help="what to score")
    parser.add_argument("--plm_dir", type=Path, default=Path("exp/plm_base/smollm2_clm"), help="a fetched PLM")
    parser.add_argument("--utterances", type=int, help="utterances of every sample (default: each section's own)")
    parser.add_argument("--wer_dtype", default="fp32", choices=("fp32", "bf16"), help="numbers of the WERs of history")
    parser.add_argument("--repeats", type=int, default=5, help="runs of each way, of which the median counts")
    parser.add_argument("--threads", type=int, default=2, help="threads of torch")
    parser.add_argument("--out_dir", type=Path, default=HERE, help="where RESULTS.md and results.json go")
    parser.add_argument("--resume", action="store_true", help="leave out parts that were measured with these settings")
    return parser.parse_args()


def read_plm(plm_dir: Path) -> PlmSettings:
    """The settings that a PLM was fetched with.

    Raises:
        InputError: There is no fetched PLM, or it is not scored as a causal LM.
    """
    path = plm_dir / "plm.yaml"
    if not path.is_file():
        raise InputError("no fetched PLM here (plm.yaml is missing)", path=plm_dir, mend="lorescore fetch-plm makes it")
    known = {field.name for field in fields(PlmSettings)}
    plm = PlmSettings.from_dict({key: value for key, value in read_yaml(path).items() if key in known}, path)
    if plm.scorer != "clm":
        raise InputError(f"the PLM's scorer is {plm.scorer}, expected clm", path=path, mend="fetch a causal LM")
    return plm


def run(args: argparse.Namespace) -> None:
    """Measure part after part."""
    names = [require_choice("--only", name, SECTIONS) for name in args.only.split(",") if name]
    for option in ("utterances", "repeats", "threads"):
        if getattr(args, option) is not None and getattr(args, option) < 1:
            raise InputError(f"--{option} is {getattr(args, option)}, expected 1 or more")
    lists = [NamedLists.read(option) for option in args.lists]
    plm_dir = args.plm_dir.resolve()
    plm = read_plm(plm_dir)
    torch.set_num_threads(args.threads)
    args.out_dir.mkdir(parents=True, exist_ok=True)
    results = Results(args.out_dir / "results.json")
    with tempfile.TemporaryDirectory(prefix="benchmarks_") as work_dir:
        rescorer_dir = Path(work_dir) / "rescorer"
        Rescorer.new(plm_dir, plm).save(rescorer_dir)
        context = Context(
            *(plm_dir, plm, rescorer_dir, Path(work_dir), args.repeats, args.threads, args.utterances),
            wer_dtype=args.wer_dtype,
            log=log,
        )
        for name in names:
            for one in SECTIONS[name].choose(lists):
                wanted = context.settings() | {"plm": plm.name, "of": one.nbest.info["checksum"]}
                if args.resume and results.has(name, one.name, wanted):
                    log(f"{name} {one.name}: was measured")
                    continue
                before = conditions()
                results.add(name, one.name, SECTIONS[name].measure(context, one), before | wanted)
                with atomic_write(args.out_dir / "RESULTS.md") as file:
                    file.write(results.markdown(list(SECTIONS.values())))
    log(f"{args.out_dir / 'RESULTS.md'}: written")


def log(line: str) -> None:
    """Say what goes on."""
    print(line, file=sys.stderr, flush=True)


def main() -> int:
    """Run; a user's mistake is one line."""
    try:
        run(parse())
    except InputError as error:
        log(f"run.py: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
