"""Long lists from short ones.

    python tests/benchmarks/recombine.py exp/nbest/dev_other 50 exp/nbest/dev_other_50

The lists of a set that recombine to as many hypotheses as are asked for; those with fewer are left out.
"""

import argparse
from dataclasses import replace
from pathlib import Path

from lorescore.nbest import read_nbest_dir, write_nbest_dir
from lorescore.nbest.recombine import Recombination


def main() -> None:
    """Write the lists that are long enough."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("nbest_dir", type=Path)
    parser.add_argument("size", type=int, help="hypotheses of a list")
    parser.add_argument("out_dir", type=Path)
    args = parser.parse_args()
    nbest = read_nbest_dir(args.nbest_dir)
    longer = map(Recombination(args.size, nbest.metric).recombine, nbest)
    lists = tuple(one for one in longer if len(one.hypotheses) == args.size)
    refs = {one.utt: nbest.refs[one.utt] for one in lists}
    write_nbest_dir(args.out_dir, replace(nbest, lists=lists, refs=refs))


if __name__ == "__main__":
    main()
