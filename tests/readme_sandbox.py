"""What README's commands find: a copy of the repository with toy decodes, lattices and recipes beside it.

`conf/plm` of the copy names tiny random PLMs, one a family, so that `--plm smollm2` or no `--plm` at all runs as it is
written, in a second and offline. `put_rescorer` makes the rescorer TAG, with the weights that stage 6 tuned.
"""

import gzip
import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

from plm_models import CONF_FAMILIES, save_masked_lm, save_plm
from toy_nbest import WORDS, toy_nbest

from lorescore.files import read_yaml, write_yaml
from lorescore.nbest import NbestSet
from lorescore.nbest.formats import FORMATS, FormatOptions

ROOT = Path(__file__).resolve().parents[1]
TAG = "smollm2_clm_none"
DECODES = "exp/asr"  # where run.sh looks for decodes by default
SETS = {"train": 24, "dev": 8, "test": 6, "test_other": 6}  # utterances
ESPNET = Path("home/espnet/egs2/mycorpus/asr1")  # home is the commands' HOME
ESPNET_EXP, ESPNET_TAG = "exp/asr_train_raw", "decode_asr"
ESPNET_SETS = {"dev": "dev", "test_clean": "test", "test_other": "test_other"}
KALDI_EXP = Path("exp/tri3")
HOMOPHONE = "see"  # of `sea`, which the toy lists have: something to perturb
LATTICE_WORDS = ["<eps>", *WORDS, HOMOPHONE, "door"]  # words.txt, by their ids
_PLMS = "readme_plms"  # a package of model files, which is found from every directory


def toy_set(name: str) -> NbestSet:
    """The toy lists of a set."""
    nbest = toy_nbest(SETS[name], seed=list(SETS).index(name))
    lists = tuple(
        replace(one, hypotheses=tuple(replace(hyp, text=_worded(hyp.text)) for hyp in one.hypotheses)) for one in nbest
    )
    return NbestSet(lists, {utt: _worded(ref) for utt, ref in nbest.refs.items()})


def make_sandbox(folder: Path) -> Path:
    """Make what the stages start from in a folder that is not there yet; copies of it work, too."""
    ignored = shutil.ignore_patterns("__pycache__", ".*_cache", "*.egg-info", "data", "exp", "readme_plms")
    for name in ("local", "conf", "egs"):
        shutil.copytree(ROOT / name, folder / name, symlinks=True, ignore=ignored)
    shutil.copytree(ROOT / "tests/data", folder / "tests/data")
    for name in ("run.sh", "path.sh", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy2(ROOT / name, folder)
    (folder / ".venv").symlink_to(ROOT / ".venv")
    (folder / "home").mkdir()
    (folder / "home" / "lorescore").symlink_to(folder)
    _put_tiny_plms(folder)
    for name in SETS:
        _write_data(folder / "data" / name, toy_set(name))
        FORMATS["espnet"].write(folder / DECODES / f"decode_{name}", toy_set(name), FormatOptions())
    _write_lists(folder, toy_set("test"))
    _write_espnet_recipe(folder / ESPNET)
    _write_kaldi_decodes(folder / KALDI_EXP)
    _write_icefall_lattices(folder)
    return folder


def put_rescorer(folder: Path) -> None:
    """Run stages 4 to 6 in a sandbox."""
    run(folder, './run.sh --stage 4 --stop_stage 6 --lora none --test_sets "test test_other"')


def run(directory: Path, program: str, language: str = "sh") -> None:
    """Run a program of a sandbox, in bash or in Python, in its environment. It must end well."""
    start = 'exec python3 -c "$1"' if language == "python" else 'exec bash -euo pipefail -c "$1"'
    environment = {key: value for key, value in os.environ.items() if key not in ("LORESCORE_ROOT", "PYTHONPATH")}
    environment |= {
        "HOME": str(directory / "home"),
        "XDG_CACHE_HOME": str(Path.home() / ".cache"),  # matplotlib's fonts
        "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": "1",
    }
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", f". ./path.sh; {start}", "bash", program],
        cwd=directory,
        env=environment,
        input=(directory / "lists.jsonl").read_text(),  # for commands that read lists from standard input
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{program}\n{done.stdout}{done.stderr}"


def _worded(text: str) -> str:
    return text.replace("sat", HOMOPHONE)


def _put_tiny_plms(folder: Path) -> None:
    """Tiny PLMs in the place of those that the pages of conf/plm name."""
    for plm, family in CONF_FAMILIES.items():
        page = folder / "conf" / "plm" / f"{plm}.yaml"
        content = read_yaml(page)
        name = f"{family}_{content['scorer']}"
        if not (folder / "local" / _PLMS / name).is_dir():
            (save_masked_lm if content["scorer"] == "pll" else save_plm)(folder / "local" / _PLMS / name, family)
        content |= {"model": f"package:{_PLMS}/{name}"}
        if content["scorer"] == "clm":
            content |= {"bos": "<s>", "eos": "</s>" if content["eos"] else ""}
        write_yaml(page, content)


def _write_data(data_dir: Path, nbest: NbestSet) -> None:
    """A Kaldi data directory."""
    data_dir.mkdir(parents=True)
    (data_dir / "text").write_text("".join(f"{utt} {ref}\n" for utt, ref in nbest.refs.items()))
    (data_dir / "utt2spk").write_text("".join(f"{utt} {utt[:-1]}\n" for utt in nbest.refs))
    (data_dir / "wav.scp").write_text("".join(f"{utt} {utt}.flac\n" for utt in nbest.refs))


def _write_lists(folder: Path, nbest: NbestSet) -> None:
    """The same lists in the formats of others."""
    (folder / "utts").write_text("".join(f"{one.utt}\n" for one in nbest))
    options = FormatOptions(utts=folder / "utts")
    for name, form in (
        ("lists.json", "mlm-scoring"),
        ("lists.jsonl", "jsonl"),
        ("lists.tsv", "tsv"),
        ("beams.tsv", "nemo"),
    ):
        FORMATS[form].write(folder / name, nbest, options)


def _write_espnet_recipe(asr1: Path) -> None:
    """egs2/<corpus>/asr1 after asr.sh."""
    decode_dir = asr1 / ESPNET_EXP / ESPNET_TAG
    for name, toy in ESPNET_SETS.items():
        place = f"org/{name}" if name == "dev" else name
        _write_data(asr1 / "dump/raw" / place, toy_set(toy))
        FORMATS["espnet"].write(decode_dir / place, toy_set(toy), FormatOptions())
    (asr1 / ESPNET_EXP / "config.yaml").write_text("token_type: bpe\n")
    (asr1 / "conf").mkdir()
    (asr1 / "conf" / "decode_asr.yaml").write_text("beam_size: 4\n")


def _write_kaldi_decodes(model_dir: Path) -> None:
    """graph/words.txt, and decode_<set>/lat.1.gz."""
    _write_word_table(model_dir / "graph" / "words.txt")
    for name in ("dev", "test"):
        decode_dir = model_dir / f"decode_{name}"
        _write_lattices(decode_dir / "lat.1.gz", toy_set(name))
        (decode_dir / "num_jobs").write_text("1\n")


def _write_icefall_lattices(folder: Path) -> None:
    """What the lines for icefall's decode.py write, and the references that `convert recogs-test.txt refs` writes."""
    _write_word_table(folder / "data" / "lang_bpe_500" / "words.txt")
    _write_lattices(folder / "exp" / "lat_test" / "lat.1.gz", toy_set("test"))
    (folder / "refs").mkdir()
    shutil.copy2(folder / "data" / "test" / "text", folder / "refs")


def _write_word_table(path: Path) -> None:
    path.parent.mkdir(parents=True)
    path.write_text("".join(f"{word} {index}\n" for index, word in enumerate(LATTICE_WORDS)))


def _write_lattices(path: Path, nbest: NbestSet) -> None:
    """A lattice for each list: its hypotheses side by side, a word an arc."""
    lines = []
    for one in nbest:
        lines.append(one.utt)
        state, arcs, finals = 0, [], []
        for hypothesis in one.hypotheses:
            last = 0
            for word in hypothesis.words:
                state += 1
                cost = -hypothesis.score / len(hypothesis.words)
                arcs.append((last, f"{last} {state} {LATTICE_WORDS.index(word)} 0,{10 * cost:g},1_1"))
                last = state
            finals.append(f"{last} 0,0,")
        lines += [arc for _, arc in sorted(arcs)] + finals + [""]
    path.parent.mkdir(parents=True)
    path.write_bytes(gzip.compress(("\n".join(lines) + "\n").encode()))
