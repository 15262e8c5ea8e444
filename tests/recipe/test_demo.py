"""The demo from stage 1 to 10 for real, small: ESPnet decodes, SmolLM2 is trained; undisturbed, and killed."""

import os
import re
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import pytest
from toy_recipe import needs_demo

from lorescore.files import read_table
from lorescore.lattice.archives import read_lattices
from lorescore.lattice.paths import best_path
from lorescore.wer.ctm import ctm_texts, read_ctm

ROOT = Path(__file__).resolve().parents[2]
SMALL = ["--n_train", "32", "--n_dev", "10", "--n_test", "12", "--perturb_seeds", "1 2", "--lora", "none adalora"]
SMALL += ["--rates", "0.3", "--graph_text", ""]  # no lattices, but in the test of them
# A small decoding graph, as that of all words takes a minute, and the backend that starts at once.
LATTICES = ["--graph_text", "data/train/text", "--word_list", "", "--lattice_backend", "kaldi"]
ADAPTER = Path("exp/plm/smollm2_clm_adalora_mwer_s1/adapter_model.safetensors")
# Stages that are killed, one after the other, and how long after their first line.
KILLED = {1: 0.5, 3: 12.0, 4: 6.0, 5: 18.0, 6: 6.0, 7: 3.0, 8: 0.5, 9: 5.0, 10: 1.0}
MINUTES = 60

pytestmark = [pytest.mark.slow, needs_demo]


def start(directory: Path, *options: str) -> subprocess.Popen[str]:
    """run.sh in a directory of its own, in a process group of its own; of an option given twice the last counts."""
    return subprocess.Popen(
        [str(ROOT / "run.sh"), "--stage", "1", *SMALL, *options],
        cwd=directory,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def run_to_the_end(directory: Path, *options: str) -> str:
    """What run.sh prints; it must end well."""
    process = start(directory, *options)
    output, _ = process.communicate(timeout=15 * MINUTES)
    assert process.returncode == 0, output
    return output


def kill_in_stage(directory: Path, first: int, stage: int, seconds: float) -> None:
    """Start run.sh at stage `first` and kill its process group with SIGKILL some time after `stage` has begun."""
    process = start(directory, "--stage", str(first))
    assert process.stdout is not None
    output = ""
    for line in process.stdout:
        output += line
        if re.search(rf" Stage {stage}: ", line):
            break
    else:
        pytest.fail(f"stage {stage} was never reached: {output}")
    time.sleep(seconds)
    with suppress(ProcessLookupError):  # a fast machine may have come to the end
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("undisturbed")
    output = run_to_the_end(directory)
    (directory / "output").write_text(output)
    return directory


def test_every_stage_writes_its_files(undisturbed: Path) -> None:
    exp = undisturbed / "exp"
    for path in (
        "asr/config.yaml",
        "asr/decode_test/logdir/output.1/10best_recog/score",
        "rescore/smollm2_clm_none/test/ctm",
        "nbest/test/words_text",
        "nbest/test/lmwt.smollm2_clm_none",
        "nbest/test_nbest_p0.3_s2/nbest.yaml",
        "plm/smollm2_clm_adalora_mwer_s1/adapter_config.json",
        "rescore/smollm2_clm_none/test/scoring_kaldi/best_wer",
        "rescore/smollm2_clm_none/test/score_wer/result.txt",
        "nprr/smollm2_clm_none.json",
        "figures/wer.png",
        "RESULTS.md",
    ):
        assert (exp / path).stat().st_size > 0, path


def test_kaldi_espnet_and_sclite_agree(undisturbed: Path) -> None:
    """The same WER to the last digit in Kaldi's best_wer, ESPnet's result.txt (sclite's raw sums) and RESULTS.md."""
    results = (undisturbed / "exp/RESULTS.md").read_text()
    for tag in ("first_pass", "oracle", "smollm2_clm_none"):
        scored = undisturbed / "exp/rescore" / tag / "test"
        kaldi = re.match(r"%WER (\S+) \[ (\d+) / (\d+)", (scored / "scoring_kaldi/best_wer").read_text())
        assert kaldi is not None
        sums = re.search(r"\|\s*Sum\s*\|\s*\d+\s+(\d+)\s*\|(.*)\|", (scored / "score_wer/result.txt").read_text())
        assert sums is not None
        ref_words, errors = int(sums[1]), int(sums[2].split()[4])
        assert (errors, ref_words) == (int(kaldi[2]), int(kaldi[3]))
        assert kaldi[1] == f"{100 * errors / ref_words:.2f}"
        assert kaldi[1] in results


def test_a_second_call_finds_everything_done(undisturbed: Path) -> None:
    before = (undisturbed / "exp/RESULTS.md").read_bytes()
    adapter = (undisturbed / ADAPTER).stat().st_mtime_ns
    run_to_the_end(undisturbed)
    assert (undisturbed / "exp/RESULTS.md").read_bytes() == before
    assert (undisturbed / ADAPTER).stat().st_mtime_ns == adapter


def test_lists_from_lattices_come_back_as_lattices(undisturbed: Path, tmp_path: Path) -> None:
    for name in ("data", "exp/asr", "exp/plm_base"):
        shutil.copytree(undisturbed / name, tmp_path / name)
    options = ["--stage", "3", *LATTICES, "--nbest_source", "lattice", "--lora", "none", "--decode", "mbr"]
    options += ["--kinds", "1best", "--rates", "0.1", "--perturb_seeds", "1"]
    output = run_to_the_end(tmp_path, *options)
    assert (tmp_path / "exp/asr/lat_test/lat.1.gz").stat().st_size > 0
    assert output.count("with unchanged scores 0 best paths differ") == 2  # dev and test
    scored = tmp_path / "exp/rescore/smollm2_clm_none/test"
    lattices = {lattice.utt: lattice for lattice in read_lattices(scored / "lat.1.gz")}
    chosen = read_table(scored / "text")
    assert lattices.keys() == chosen.keys()
    for utt, lattice in lattices.items():
        assert " ".join(best_path(lattice, acoustic_scale=2.0).words) == chosen[utt]
    assert ctm_texts(read_ctm(scored / "ctm"), chosen) == chosen
    assert (scored / "score_ctm/result.txt").stat().st_size > 0
    assert "MBR" in (tmp_path / "exp/RESULTS.md").read_text()


def test_killed_in_every_stage_it_ends_with_the_same_results(undisturbed: Path, tmp_path: Path) -> None:
    first = 1
    for stage, seconds in KILLED.items():
        kill_in_stage(tmp_path, first, stage, seconds)
        first = stage
    run_to_the_end(tmp_path)
    assert (tmp_path / "exp/RESULTS.md").read_bytes() == (undisturbed / "exp/RESULTS.md").read_bytes()
    assert (tmp_path / ADAPTER).read_bytes() == (undisturbed / ADAPTER).read_bytes()
