"""local/asr_decode.py: jobs, what an interrupted or failed call leaves, when it decodes again.

A program that writes what ESPnet writes, in ESPnet's place, stands in for the beam search, which takes minutes; the
real one runs in test_demo.py.
"""

import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from waiting import wait_for

import asr_decode
from lorescore.cli import jobs
from lorescore.nbest.espnet import read_espnet_decode

ROOT = Path(__file__).resolve().parents[2]
UTTS = [f"spk-{number}" for number in range(1, 8)]

STAND_IN = """
import argparse, os, sys, time
from pathlib import Path
parser = argparse.ArgumentParser()
for name in ("config", "ngpu", "asr_train_config", "asr_model_file", "data_path_and_name_and_type"):
    parser.add_argument(f"--{name}", required=True)
parser.add_argument("--key_file", type=Path, required=True)
parser.add_argument("--output_dir", type=Path, required=True)
args = parser.parse_args()
path, name, kind = args.data_path_and_name_and_type.split(",")
assert Path(path).is_file()
job = args.key_file.suffix[1:]
with open(os.environ["CALLS"], "a") as calls:
    calls.write(f"{job} threads={os.environ['OMP_NUM_THREADS']}\\n")
for utt in args.key_file.read_text().split():
    for rank in (1, 2):
        folder = args.output_dir / f"{rank}best_recog"
        folder.mkdir(parents=True, exist_ok=True)
        for name, value in (("text", f"word {utt}"), ("score", f"tensor(-{rank}.5)")):
            with (folder / name).open("a") as file:
                file.write(f"{utt} {value}\\n")
    if os.environ.get("FAIL") == job:
        print("loading")
        sys.exit("RuntimeError: no such thing")
    if "SIGNAL" in os.environ:
        print("a warning", flush=True)
        os.kill(os.getpid(), int(os.environ["SIGNAL"]))
    if os.environ.get("HANG") == job:
        time.sleep(600)
"""


@pytest.fixture
def call_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The stand-in in ESPnet's place, and the file in which each job of it leaves a line."""
    package = tmp_path / "stand_in" / "espnet2" / "bin"
    package.mkdir(parents=True)
    (package / "asr_inference.py").write_text(STAND_IN)
    for folder in (package, package.parent):
        (folder / "__init__.py").touch()
    (tmp_path / "calls").touch()
    monkeypatch.setenv("PYTHONPATH", f"{package.parents[1]}:{ROOT / 'local'}")
    monkeypatch.setenv("CALLS", str(tmp_path / "calls"))
    monkeypatch.setattr(jobs, "POLL_SECONDS", 0.02)
    return tmp_path / "calls"


@pytest.fixture
def options(tmp_path: Path) -> list[str]:
    """Options of a decode of seven utterances, in no order, to `decode_test`."""
    for name, content in (
        ("asr/config.yaml", "a: 1\n"),
        ("asr/valid.acc.ave.pth", "weights"),
        ("decode.yaml", "b: 1\n"),
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content)
    (tmp_path / "data").mkdir()
    for utt in [*UTTS, "zzz"]:
        soundfile.write(tmp_path / f"data/{utt}.wav", np.zeros(300), 16000)
    (tmp_path / "data" / "wav.scp").write_text("".join(f"{utt} {tmp_path}/data/{utt}.wav\n" for utt in reversed(UTTS)))
    places = {"asr_exp": "asr", "decode_config": "decode.yaml", "data_dir": "data", "decode_dir": "decode_test"}
    return [word for name, place in places.items() for word in (f"--{name}", str(tmp_path / place))]


def jobs_called(call_log: Path) -> list[str]:
    """The jobs that ran since this was last asked."""
    jobs = sorted(line.split()[0] for line in call_log.read_text().splitlines())
    call_log.write_text("")
    return jobs


def test_jobs_share_the_utterances(tmp_path: Path, call_log: Path, options: list[str]) -> None:
    assert asr_decode.main([*options, "--nj", "3"]) == 0
    logdir = tmp_path / "decode_test" / "logdir"
    keys = [(logdir / f"keys.{job}").read_text().split() for job in (1, 2, 3)]
    assert [utt for part in keys for utt in part] == UTTS[::-1]  # the order of wav.scp, which ESPnet wants
    assert {len(part) for part in keys} == {2, 3}
    assert sorted(path.name for path in logdir.iterdir()) == [
        *(f"asr_inference.{job}.log" for job in (1, 2, 3)),
        *(f"keys.{job}" for job in (1, 2, 3)),
        *(f"output.{job}" for job in (1, 2, 3)),
        "stamp",
    ]
    # One thread a job, as the sums of more depend on their number.
    assert call_log.read_text().count("threads=1\n") == 3
    assert [one.utt for one in read_espnet_decode(tmp_path / "decode_test")] == UTTS


def test_a_comma_in_the_path(
    tmp_path: Path, call_log: Path, options: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a,b").mkdir()
    (tmp_path / "data").rename(tmp_path / "a,b/data")
    wav_scp = tmp_path / "a,b/data/wav.scp"
    wav_scp.write_text(wav_scp.read_text().replace(f"{tmp_path}/data/", f"{tmp_path}/a,b/data/"))
    monkeypatch.chdir(tmp_path / "a,b")
    assert asr_decode.main([*options, "--data_dir", str(wav_scp.parent), "--nj", "1"]) == 0


def test_lists_do_not_depend_on_the_number_of_jobs(tmp_path: Path, call_log: Path, options: list[str]) -> None:
    lists = []
    for nj in ("1", "2", "100"):
        decode_dir = tmp_path / f"decode_{nj}"
        assert asr_decode.main([*options, "--decode_dir", str(decode_dir), "--nj", nj]) == 0
        lists.append(read_espnet_decode(decode_dir).lists)
    assert lists[0] == lists[1] == lists[2]
    assert not (tmp_path / "decode_100/logdir/output.8").exists()  # no job without an utterance


def test_finished_work_is_kept(call_log: Path, options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    asr_decode.main([*options, "--nj", "2"])
    assert jobs_called(call_log) == ["1", "2"]
    for nj in ("2", "5"):  # of another number of cores, too
        capsys.readouterr()
        assert asr_decode.main([*options, "--nj", nj]) == 0
        assert jobs_called(call_log) == []
        assert "7 utterances, decoded before" in capsys.readouterr().out


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_ended_by_a_signal_it_takes_its_jobs_along(
    tmp_path: Path, call_log: Path, options: list[str], number: signal.Signals
) -> None:
    """And until they end they hold what the caller holds, as run.sh its lock."""
    reads, holds = os.pipe()
    process = subprocess.Popen(
        [sys.executable, ROOT / "local/asr_decode.py", *options, "--nj", "1"],
        env=os.environ | {"HANG": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        pass_fds=[holds],
        preexec_fn=lambda: signal.signal(number, signal.SIG_DFL),  # as at a terminal
    )
    os.close(holds)
    assert wait_for((tmp_path / "decode_test/logdir/output.1.part/2best_recog/score").is_file)
    assert select.select([reads], [], [], 0)[0] == []
    process.send_signal(number)
    said = f"{tmp_path}/decode_test: interrupted; start it again to go on\n" if number == signal.SIGINT else ""
    assert (process.communicate(timeout=10)[1], process.returncode) == (said, 128 + number)
    assert select.select([reads], [], [], 10)[0] == [reads]  # nobody holds it any more
    os.close(reads)


def test_a_failed_job_is_told_and_alone_redone(
    tmp_path: Path,
    call_log: Path,
    options: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("FAIL", "2")
    assert asr_decode.main([*options, "--nj", "3"]) == 1
    decode_dir = tmp_path / "decode_test"
    assert capsys.readouterr().err == (
        f"{decode_dir}: job 2 failed after 1 of 2 utterances, before spk-4 was done: RuntimeError: no such thing; "
        f"log: {decode_dir}/logdir/asr_inference.2.log\n"
    )
    assert not (decode_dir / "logdir/output.2").exists()
    assert jobs_called(call_log) == ["1", "2", "3"]
    monkeypatch.delenv("FAIL")
    assert asr_decode.main([*options, "--nj", "3"]) == 0
    assert jobs_called(call_log) == ["2"]
    assert [one.utt for one in read_espnet_decode(decode_dir)] == UTTS
    assert not list((decode_dir / "logdir").glob("*.part"))


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (signal.SIGKILL, "killed, as by the system where memory runs out (fewer jobs need less: --nj)"),
        (signal.SIGSEGV, "ended by signal 11, Segmentation fault"),
    ],
)
def test_a_job_that_a_signal_ended(
    tmp_path: Path,
    call_log: Path,
    options: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    number: signal.Signals,
    message: str,
) -> None:
    monkeypatch.setenv("SIGNAL", str(int(number)))
    assert asr_decode.main([*options, "--nj", "1"]) == 1
    decode_dir, log = tmp_path / "decode_test", tmp_path / "decode_test/logdir/asr_inference.1.log"
    place = "after 1 of 7 utterances, before spk-6 was done"
    assert capsys.readouterr().err == f"{decode_dir}: job 1 failed {place}: {message}; log: {log}\n"


def test_killed_it_goes_on_with_what_is_missing(
    tmp_path: Path, call_log: Path, options: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    logdir = tmp_path / "decode_test" / "logdir"
    process = subprocess.Popen(
        [sys.executable, ROOT / "local/asr_decode.py", *options, "--nj", "2"],
        env=os.environ | {"HANG": "2"},
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    assert wait_for(lambda: (logdir / "output.1").is_dir() and (logdir / "output.2.part/2best_recog/score").is_file())
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert jobs_called(call_log) == ["1", "2"]
    assert asr_decode.main([*options, "--nj", "2"]) == 0
    assert jobs_called(call_log) == ["2"]
    assert [one.utt for one in read_espnet_decode(tmp_path / "decode_test")] == UTTS


@pytest.mark.parametrize("changed", ["asr/config.yaml", "asr/valid.acc.ave.pth", "decode.yaml", "data/wav.scp"])
def test_another_input_is_decoded_anew(tmp_path: Path, call_log: Path, options: list[str], changed: str) -> None:
    asr_decode.main([*options, "--nj", "2"])
    jobs_called(call_log)
    with (tmp_path / changed).open("a") as file:
        file.write(f"zzz {tmp_path}/data/zzz.wav\n" if changed == "data/wav.scp" else "# changed\n")
    assert asr_decode.main([*options, "--nj", "2"]) == 0
    assert jobs_called(call_log) == ["1", "2"]


@pytest.mark.parametrize(
    ("damage", "nj", "message"),
    [
        ("data/wav.scp", "2", "data/wav.scp: cannot be read: No such file or directory (stage 1 makes it)"),
        ("asr/config.yaml", "2", "asr/config.yaml: cannot be read: No such file or directory"),
        ("asr/valid.acc.ave.pth", "2", "asr/valid.acc.ave.pth: cannot be read: No such file or directory"),
        ("", "0", "--nj 0, expected 1 or more"),
    ],
)
def test_bad_input(
    tmp_path: Path,
    call_log: Path,
    options: list[str],
    capsys: pytest.CaptureFixture[str],
    damage: str,
    nj: str,
    message: str,
) -> None:
    if damage:
        (tmp_path / damage).unlink()
    assert asr_decode.main([*options, "--nj", nj]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert message in error
    assert jobs_called(call_log) == []
    assert not (tmp_path / "decode_test").exists()


def test_a_data_directory_without_utterances(
    tmp_path: Path, call_log: Path, options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "data/wav.scp").write_text("")
    assert asr_decode.main(options) == 1
    assert "wav.scp: empty, expected `utt file` (stage 1 makes it)" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("frontend", "content", "message"),
    [
        ("default", "u1 A.wav\nu2 missing.wav\n", "wav.scp:2: utterance u2: missing.wav: no such file ("),
        ("default", "u1 sox A.wav -t wav - |\n", "wav.scp:1: utterance u1: sox A.wav -t wav - |: no such file ("),
        (
            "default",
            "u1 config.yaml\n",
            "wav.scp:1: utterance u1: config.yaml: no sound in it that libsndfile can read",
        ),
        ("default", "u1 empty.wav\n", "wav.scp:1: utterance u1: empty.wav: no sound in it that libsndfile can read"),
        ("default", "u1 short.wav\n", "utterance u1: short.wav has 256 samples, the model needs 257 or more (delete"),
        ("default", "u1 cut.wav\n", "utterance u1: cut.wav is cut off: it has 200 of its 300 samples (make or copy"),
        ("default", "u1 piped.wav\n", ""),
        ("default\nfrontend_conf: {n_fft: 511}", "u1 short.wav\n", ""),
        ("default", "u1 A.wav\nu2 B.wav\n", "u2: B.wav has 48000 samples a second, the model expects 16000 (resample"),
        ("default\nfrontend_conf: {fs: 8k}", "u1 A.wav\n", "A.wav has 16000 samples a second, the model expects 8000"),
        ("own", "u1 short.wav\nu2 B.wav\n", ""),  # whose rate and window are not known
    ],
)
def test_audio_is_looked_at_before_it_is_decoded(
    tmp_path: Path,
    call_log: Path,
    options: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    frontend: str,
    content: str,
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, length, rate in (("A", 300, 16000), ("B", 300, 48000), ("short", 256, 16000), ("empty", 0, 16000)):
        soundfile.write(f"{name}.wav", np.zeros(length), rate)
    whole = Path("A.wav").read_bytes()
    Path("cut.wav").write_bytes(whole[:-200])
    Path("piped.wav").write_bytes(whole[:40] + b"\xff\xff\xff\x7f" + whole[44:])  # without a size, as sox writes it
    Path("config.yaml").write_text("text\n")
    (tmp_path / "asr/config.yaml").write_text(f"frontend: {frontend}\n")
    (tmp_path / "data/wav.scp").write_text(content)
    assert asr_decode.main([*options, "--nj", "1"]) == (1 if message else 0)
    error = capsys.readouterr().err
    assert error.count("\n") == (1 if message else 0)
    assert message in error
    assert jobs_called(call_log) == ([] if message else ["1"])


def test_recordings_are_not_decoded_in_place_of_their_utterances(
    tmp_path: Path, call_log: Path, options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "data/segments").write_text("".join(f"{utt} tape {n} {n + 1}\n" for n, utt in enumerate(UTTS)))
    assert asr_decode.main(options) == 0  # files of utterances, whose segments say where they come from
    wavs = (tmp_path / "data/wav.scp").read_text().split()
    (tmp_path / "data/wav.scp").write_text(f"tape {wavs[1]}\n")
    capsys.readouterr()
    assert asr_decode.main(options) == 1
    assert "segments: wav.scp has recordings, which this file cuts into utterances (" in capsys.readouterr().err


def test_a_decode_from_elsewhere_is_left_alone(
    tmp_path: Path, call_log: Path, options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert asr_decode.main(options) == 0
    logdir = tmp_path / "decode_test/logdir"
    (logdir / "stamp").unlink()
    kept = sorted(logdir.rglob("*"))
    capsys.readouterr()
    assert asr_decode.main(options) == 1
    assert "decode_test: holds a decode that was not made here (name another" in capsys.readouterr().err
    assert sorted(logdir.rglob("*")) == kept
