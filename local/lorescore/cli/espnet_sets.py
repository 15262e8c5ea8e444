"""`espnet-sets`: where the decodes, references and audio of an ESPnet recipe are, as lines that run.sh reads.

    exp      <asr_exp>  <checkpoint>
    roles    <dev set>  <test sets>  <training set>
    set      <name>  <decode directory>  <data directory>  <place in the decode>

Fields are separated by tabs. With --decode_again the configuration for it is written to <again_dir>/decode.yaml.
"""

import argparse
import sys
from pathlib import Path

from lorescore.errors import InputError
from lorescore.files import write_yaml
from lorescore.nbest.espnet_recipe import ORG, EspnetRecipe, nbest_config, require_audio, require_nbest

AGAIN_CONFIG = "decode.yaml"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's options."""
    parser.add_argument("--asr_exp", type=Path, required=True, help="the model's directory: exp/asr_train_...")
    parser.add_argument("--inference_tag", default="", help="the decode's name in it: decode_...")
    parser.add_argument("--asr_dir", type=Path, help="the recipe, egs2/<corpus>/asr1; else two folders above asr_exp")
    parser.add_argument("--train_set", default="", help="decoded set to train on, where there is one")
    parser.add_argument("--dev_set", default="", help="decoded set to tune on; else the validation set")
    parser.add_argument("--test_sets", default="", help="decoded sets to report, separated by spaces; else all others")
    parser.add_argument("--again_dir", type=Path, required=True, help="stage 3's decodes, where stage 3 was asked for")
    parser.add_argument("--decode_again", action="store_true", help="stage 3 is asked for")
    parser.add_argument("--decode_config", type=Path, help="with --decode_again; else conf/*.yaml after the tag")
    parser.add_argument("--num_hyps", type=int, default=10, help="with --decode_again: hypotheses of a list")


def run(args: argparse.Namespace) -> None:
    """Find everything, check it, print it."""
    recipe = EspnetRecipe.find(args.asr_exp, args.inference_tag, args.asr_dir)
    dev = args.dev_set.removeprefix(f"{ORG}/") or recipe.likely_dev_set()
    train = args.train_set.removeprefix(f"{ORG}/")
    named = [name.removeprefix(f"{ORG}/") for name in args.test_sets.split()] or sorted(recipe.decoded())
    tests = [name for name in dict.fromkeys(named) if name not in (dev, train)]
    if not tests:
        raise InputError(f"no set to report besides {dev}", mend="name some: --test_sets")
    sets = [recipe.find_set(name) for name in (*train.split(), dev, *tests)]
    if args.decode_again:
        config = args.decode_config or recipe.decode_config()
        for one in sets:
            require_audio(one.data_dir)
        write_yaml(args.again_dir / AGAIN_CONFIG, nbest_config(config, args.num_hyps))
        print(f"{recipe.decode_dir}: to be decoded again as {config} says", file=sys.stderr)
    # All sets come from one kind of decode, so that the weights suit them all.
    again = args.decode_again or (args.again_dir / AGAIN_CONFIG).is_file()
    if not again:
        for one in sets:
            require_nbest(one.decode_dir)
    if not args.dev_set:
        print(f"{recipe.decode_dir}: weights are tuned on {dev} (--dev_set names another)", file=sys.stderr)
    _print("exp", recipe.asr_exp, recipe.asr_model())
    _print("roles", dev, " ".join(tests), train)
    for one in sets:
        decode_dir = args.again_dir / one.name if again else one.decode_dir
        _print("set", one.name, decode_dir, one.data_dir, one.place)


def _print(*fields: object) -> None:
    print("\t".join(map(str, fields)))
