"""The demo's data: sentences out of WordNet, speech by espeak-ng, Kaldi data directories that Kaldi would accept."""

import importlib.util
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from waiting import wait_for

LOCAL = Path(__file__).resolve().parents[2] / "egs" / "demo" / "rescore1" / "local"
WORDNET = Path("/usr/share/wordnet")
C_LOCALE = {"LC_ALL": "C", "PATH": "/usr/bin:/bin"}
SETS = ("asr_train", "dev", "test", "train")

needs_wordnet = pytest.mark.skipif(
    not (WORDNET / "data.noun").is_file(), reason="WordNet is missing: apt-get install wordnet-base"
)
needs_espeak = pytest.mark.skipif(
    shutil.which("espeak-ng") is None
    or importlib.util.find_spec("soundfile") is None
    or importlib.util.find_spec("soxr") is None,
    reason="espeak-ng, soundfile or soxr is missing: ./run.sh --stage 0 --stop_stage 0 installs them",
)


def run(script: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, LOCAL / script, *map(str, arguments)], capture_output=True, text=True, check=False
    )


def module(name: str) -> ModuleType:
    """A script as a module."""
    spec = importlib.util.spec_from_file_location(name, LOCAL / f"{name}.py")
    assert spec is not None and spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


@pytest.mark.parametrize(
    ("sentence", "normalised"),
    [
        ("The Cat sat; on the mat!", "the cat sat on the mat"),
        ("a well-known (but old) song -- `sung'", "a well known but old song sung'"),
        ("don't you o'clock me", "don't you o'clock me"),
        ("Mr. Smith went home", None),  # espeak-ng reads abbreviations out
        ("in the U.S. of today", None),
        ("he was 42 years old", None),
        ("a café in town", None),
        ("two words", None),
        (" ".join(["word"] * 14), " ".join(["word"] * 14)),
        (" ".join(["word"] * 15), None),
    ],
)
def test_normalised_sentences(sentence: str, normalised: str | None) -> None:
    assert module("prepare_text").normalise(sentence) == normalised


@pytest.fixture
def small_wordnet(tmp_path: Path) -> Path:
    """WordNet's layout with 400 sentences, one of them in two files."""
    folder = tmp_path / "wordnet"
    folder.mkdir()
    for part in ("adj", "adv", "noun", "verb"):
        lines = ['  1 This software | "not an example of this"']
        lines += [
            f'0001 03 n 01 x | a definition; "{part} number {chr(97 + i // 26)} {chr(97 + i % 26)}"' for i in range(99)
        ]
        lines.append('0002 03 n 01 y | another; "the same in all"; "Too short"')
        (folder / f"data.{part}").write_text("\n".join(lines) + "\n")
    return folder


def read_sets(folder: Path) -> dict[str, list[str]]:
    return {path.stem: path.read_text().splitlines() for path in sorted(folder.glob("*.txt"))}


def test_a_sentence_is_in_one_set_whatever_else_there_is(small_wordnet: Path, tmp_path: Path) -> None:
    assert run("prepare_text.py", "--wordnet_dir", small_wordnet, tmp_path / "all").returncode == 0
    sets = read_sets(tmp_path / "all")
    sentences = [sentence for members in sets.values() for sentence in members]
    assert len(sentences) == len(set(sentences)) == 4 * 99 + 1
    assert len(sets["asr_train"]) > len(sets["train"]) > 0
    for part in ("adv", "noun", "verb"):
        (small_wordnet / f"data.{part}").write_text("")
    assert run("prepare_text.py", "--wordnet_dir", small_wordnet, tmp_path / "fewer").returncode == 0
    for name, members in read_sets(tmp_path / "fewer").items():
        assert members == [one for one in sets[name] if one.startswith("adj") or one == "the same in all"]
    assert run("prepare_text.py", "--wordnet_dir", small_wordnet, "--seed", "1", tmp_path / "seed").returncode == 0
    assert read_sets(tmp_path / "seed") != read_sets(tmp_path / "fewer")


def test_wordnet_is_missing(tmp_path: Path) -> None:
    done = run("prepare_text.py", "--wordnet_dir", tmp_path, tmp_path / "out")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert done.stderr.startswith(f"{tmp_path}/data.adj: not found: install Debian's wordnet-base")
    assert not (tmp_path / "out").exists()


@pytest.fixture(scope="module")
def sentences(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """The four sets of the real WordNet."""
    folder = tmp_path_factory.mktemp("sentences")
    done = run("prepare_text.py", folder)
    assert done.returncode == 0, done.stderr
    return read_sets(folder)


@needs_wordnet
def test_wordnet_gives_four_sets_without_a_common_sentence(sentences: dict[str, list[str]]) -> None:
    assert tuple(sentences) == SETS
    everything = [sentence for members in sentences.values() for sentence in members]
    assert len(everything) == len(set(everything)) > 40_000
    assert all(3 <= len(sentence.split()) <= 14 for sentence in everything)
    shares = {name: len(members) / len(everything) for name, members in sentences.items()}
    assert shares == pytest.approx({"asr_train": 0.925, "dev": 0.0125, "test": 0.0125, "train": 0.05}, rel=0.15)


def content(data_dir: Path) -> dict[str, bytes]:
    """Everything in a data directory by name, with its own path left out."""
    files = (path for path in data_dir.rglob("*") if path.is_file())
    return {
        str(path.relative_to(data_dir)): path.read_bytes().replace(str(data_dir).encode(), b"DATA") for path in files
    }


@pytest.fixture(scope="module")
def spoken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory of a few sentences, one of them given twice."""
    folder = tmp_path_factory.mktemp("spoken")
    lines = ["the sun set on the sea", "i see the son", "we knew it", "they're here now", "a red rose", "we knew it"]
    (folder / "sentences").write_text("".join(f"{line}\n" for line in lines))
    done = run("synthesize.py", "--nj", "1", folder / "sentences", folder / "data")
    assert done.returncode == 0, done.stderr
    return folder


@needs_espeak
def test_kaldi_accepts_the_data_directory(spoken: Path) -> None:
    """The checks of Kaldi's utils/validate_data_dir.sh."""
    data = spoken / "data"
    for name in ("wav.scp", "text", "utt2spk", "spk2utt"):
        subprocess.run(["sort", "-c", "-u", "-k1,1", data / name], env=C_LOCALE, check=True)
    tables = {
        name: [line.split() for line in (data / name).read_text().splitlines()]
        for name in ("wav.scp", "text", "utt2spk")
    }
    utts = [fields[0] for fields in tables["utt2spk"]]
    assert len(utts) == 5
    assert all([fields[0] for fields in table] == utts for table in tables.values())
    # Sorted by speaker first, the utterances have to stand in the same order: a speaker is a prefix of its utterances.
    by_speaker = subprocess.run(["sort", "-k2", data / "utt2spk"], env=C_LOCALE, check=True, capture_output=True)
    assert by_speaker.stdout == (data / "utt2spk").read_bytes()
    of_speaker: dict[str, list[str]] = {}
    for utt, speaker in tables["utt2spk"]:
        assert utt.startswith(f"{speaker}-")
        of_speaker.setdefault(speaker, []).append(utt)
    spk2utt = [line.split() for line in (data / "spk2utt").read_text().splitlines()]
    assert {speaker: members for speaker, *members in spk2utt} == of_speaker
    assert sorted(" ".join(words) for _, *words in tables["text"]) == sorted(
        set((spoken / "sentences").read_text().splitlines())
    )


@needs_espeak
def test_audio_is_speech_at_16_khz(spoken: Path) -> None:
    import soundfile

    for line in (spoken / "data" / "wav.scp").read_text().splitlines():
        info = soundfile.info(line.split()[1])
        assert (info.samplerate, info.channels, info.subtype) == (16000, 1, "PCM_16")
        assert 0.5 < info.duration < 10
        samples, _ = soundfile.read(line.split()[1])
        assert 0.5 < abs(samples).max() <= 1.0


@needs_espeak
def test_the_same_bytes_in_another_order_by_other_jobs(spoken: Path, tmp_path: Path) -> None:
    lines = (spoken / "sentences").read_text().splitlines(keepends=True)
    (tmp_path / "sentences").write_text("".join(reversed(lines)))
    assert run("synthesize.py", "--nj", "4", tmp_path / "sentences", tmp_path / "data").returncode == 0
    assert content(tmp_path / "data") == content(spoken / "data")


@needs_espeak
def test_fewer_utterances_sound_the_same_and_another_seed_does_not(spoken: Path, tmp_path: Path) -> None:
    run("synthesize.py", "--max_utts", "2", spoken / "sentences", tmp_path / "two")
    two = {name: audio for name, audio in content(tmp_path / "two").items() if name.endswith(".wav")}
    assert len(two) == 2
    assert two.items() <= content(spoken / "data").items()
    run("synthesize.py", "--max_utts", "2", "--seed", "7", spoken / "sentences", tmp_path / "seed")
    assert not two.keys() & content(tmp_path / "seed").keys()


@needs_espeak
def test_finished_audio_is_kept_and_missing_audio_made_again(spoken: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(spoken / "data", data)
    kept, lost = sorted(data.rglob("*.wav"))[:2]
    audio, written = lost.read_bytes(), kept.stat().st_mtime_ns
    lost.unlink()
    (data / "text").unlink()
    assert run("synthesize.py", spoken / "sentences", data).returncode == 0
    assert lost.read_bytes() == audio
    assert kept.stat().st_mtime_ns == written
    assert (data / "text").read_bytes() == (spoken / "data" / "text").read_bytes()


@needs_espeak
def test_an_interrupt_ends_it_and_leaves_what_it_has(tmp_path: Path) -> None:
    """And not when all sentences have been spoken."""
    sentences = [f"sentence {number}" for number in range(2000)]
    (tmp_path / "sentences").write_text("".join(f"{sentence}\n" for sentence in sentences))
    process = subprocess.Popen(
        [sys.executable, LOCAL / "synthesize.py", "--nj", "1", tmp_path / "sentences", tmp_path / "data"],
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # as at a terminal
    )
    assert wait_for(lambda: any(tmp_path.rglob("*.wav")))
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=60)[1].splitlines()[-1]
    assert (said, process.returncode) == (f"{tmp_path}/data: interrupted; start it again to go on", 130)
    assert 0 < len(list(tmp_path.rglob("*.wav"))) < len(sentences)


@needs_espeak
def test_no_sentences(tmp_path: Path) -> None:
    done = run("synthesize.py", tmp_path / "sentences", tmp_path / "data")
    assert (done.returncode, done.stderr) == (1, f"{tmp_path}/sentences: not found: prepare_text.py makes it\n")
    assert not (tmp_path / "data").exists()
