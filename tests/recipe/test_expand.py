"""`run.sh --expand` and `--recombine`: stages 4 to 9 on lists with more hypotheses, and back to lists without."""

import json
import random
from pathlib import Path

from toy_recipe import make_recipe, needs_recipe, run_sh

from lorescore.files import read_table, read_yaml
from lorescore.nbest import read_nbest_dir

WORDS = ("the", "sun", "son", "sea", "see", "rain", "reign", "hair", "hare")


def write_decode(path: Path, seed: int) -> None:
    """Lists of two hypotheses of five words, most of which have homophones."""
    rng = random.Random(seed)
    records = []
    for number in range(8):
        first, second = (" ".join(rng.choices(WORDS, k=5)) for _ in range(2))
        records.append({"utt": f"u{number}", "hyps": [first, second], "scores": [-1.0, -1.5], "ref": second})
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(json.dumps(record) + "\n" for record in records))


@needs_recipe
def test_lists_with_homophone_versions(tmp_path: Path) -> None:
    work = tmp_path / "work"
    plm = make_recipe(work)[:2]
    for seed, name in enumerate(("dev", "test")):
        write_decode(work / "lists" / f"{name}.jsonl", seed)
    options = [*plm, "--lora", "none", "--asr_decode", "lists", "--perturb_seeds", "1", "--rates", "1"]
    said = run_sh(work, "--stage", "4", "--stop_stage", "9", "--expand", "4", *options)
    nbest = work / "exp" / "nbest"
    test, perturbed = (read_nbest_dir(nbest / name) for name in ("test", "test_nbest_p1_s1"))
    versions = sum(one.added for one in test)
    assert f"exp/nbest/test: 8 utterances, 16 hypotheses and {versions} added ones" in said
    assert 16 < versions <= 4 * 16
    for clean, other in zip(test, perturbed, strict=True):
        assert other.first_pass.texts != clean.first_pass.texts
        assert other.added
    assert read_yaml(nbest / "test_nbest_p1_s1" / "nbest.yaml")["expansion"] == test.info["expansion"]
    record = json.loads((work / "exp" / "nprr" / "llama_clm_none.json").read_text())
    assert {one["rate"] for one in record["nprr"]} == {1.0}

    said = run_sh(work, "--stage", "4", "--stop_stage", "6", "--recombine", "6", *options)
    recombined = read_nbest_dir(nbest / "test")
    added = sum(one.added for one in recombined)
    assert f"exp/nbest/test: 8 utterances, 16 hypotheses and {added} added ones" in said
    assert 8 < added <= 4 * 8
    assert recombined.info["expansion"] == {"recombine": 6}
    chosen = read_table(work / "exp" / "rescore" / "llama_clm_none" / "test" / "text")
    assert all(chosen[one.utt] in one.texts for one in recombined)

    run_sh(work, "--stage", "4", "--stop_stage", "4", *options)
    assert not any(one.added for one in read_nbest_dir(nbest / "test"))
