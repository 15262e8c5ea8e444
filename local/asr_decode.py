#!/usr/bin/env python3
"""Stage 3: ESPnet beam search over a data directory in parallel jobs, in ESPnet's own output layout.

    <decode_dir>/logdir/keys.J                               the utterances of job J
    <decode_dir>/logdir/output.J/{1..N}best_recog/{text,...}  what ESPnet writes
    <decode_dir>/logdir/asr_inference.J.log

A job writes to output.J.part, which is renamed when the job has ended well: an interrupted call goes on with the jobs
that are missing. `stamp` says what the output was made from; where that has changed, everything is decoded again.
"""

import argparse
import os
import shutil
import sys
from pathlib import Path

from lorescore.cli.audio import read_wav_scp, require_sound
from lorescore.cli.jobs import Job, run_jobs, shares
from lorescore.errors import InputError
from lorescore.files import atomic_write, checksum, read_lines
from lorescore.stamp import Stamp


def main(argv: list[str] | None = None) -> int:
    """Decode; the exit status: 0, or 1 for bad input or a failed job."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--asr_exp", type=Path, required=True, help="ESPnet experiment with config.yaml")
    parser.add_argument("--asr_model", default="valid.acc.ave.pth", help="checkpoint in it")
    parser.add_argument("--decode_config", type=Path, required=True, help="options of espnet2.bin.asr_inference")
    parser.add_argument("--data_dir", type=Path, required=True, help="Kaldi data directory")
    parser.add_argument("--decode_dir", type=Path, required=True, help="output")
    parser.add_argument("--nj", type=int, default=os.cpu_count(), help="parallel jobs")
    parser.add_argument("--ngpu", type=int, default=0, help="GPUs a job")
    try:
        return decode(parser.parse_args(argv))
    except InputError as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return 1


def decode(args: argparse.Namespace) -> int:
    """Start the jobs that are missing and wait for them; the exit status.

    Raises:
        InputError: An input is missing or empty, or the output cannot be written.
    """
    logdir = args.decode_dir / "logdir"
    inputs = [
        args.asr_exp / "config.yaml",
        args.asr_exp / args.asr_model,
        args.decode_config,
        args.data_dir / "wav.scp",
    ]
    utts = read_wav_scp(args.data_dir)
    stamp = Stamp(logdir / "stamp", checksum(inputs))
    if not stamp.is_current():
        require_sound(utts, args.data_dir, args.asr_exp / "config.yaml")
        mend = "name another directory: --decode_dir"
        foreign = InputError("holds a decode that was not made here", path=args.decode_dir, mend=mend)
        stamp.make_way(logdir.glob("output.*"), foreign)
        shutil.rmtree(logdir, ignore_errors=True)
        for job, part in enumerate(shares(list(utts), args.nj), start=1):  # ESPnet wants keys in this order
            with atomic_write(logdir / f"keys.{job}") as file:
                file.writelines(f"{utt}\n" for utt in part)
        stamp.write()

    nj = sum(1 for _ in logdir.glob("keys.*"))  # what was begun goes on as it was split
    jobs = [job for job in range(1, nj + 1) if not (logdir / f"output.{job}").is_dir()]
    if not jobs:
        print(f"{args.decode_dir}: {len(utts)} utterances, decoded before")
        return 0
    print(f"{args.decode_dir}: decoding, jobs {' '.join(map(str, jobs))} of {nj}; logs: {logdir}/asr_inference.*.log")
    for job in jobs:
        shutil.rmtree(logdir / f"output.{job}.part", ignore_errors=True)
    failed = run_jobs(
        [Job(job, command(job, logdir, args), logdir / f"asr_inference.{job}.log") for job in jobs],
        str(args.decode_dir),
        total=len(utts),
        done=lambda: decoded(logdir),
        finish=lambda job: (logdir / f"output.{job}.part").rename(logdir / f"output.{job}"),
        came_to=lambda job: came_to(logdir, job),
    )
    return int(failed)


def command(job: int, logdir: Path, args: argparse.Namespace) -> list[str]:
    """The program of one decoding job."""
    wav_scp = str(args.data_dir / "wav.scp")
    if "," in wav_scp:  # ESPnet takes a comma for its own: seen from here the path may have none
        wav_scp = os.path.relpath(wav_scp)
    return [
        *(sys.executable, str(Path(__file__).with_name("espnet_unchecked.py")), "espnet2.bin.asr_inference"),
        *("--config", str(args.decode_config), "--ngpu", str(args.ngpu)),
        *("--asr_train_config", str(args.asr_exp / "config.yaml")),
        *("--asr_model_file", str(args.asr_exp / args.asr_model)),
        *("--data_path_and_name_and_type", f"{wav_scp},speech,sound"),
        *("--key_file", str(logdir / f"keys.{job}"), "--output_dir", str(logdir / f"output.{job}.part")),
    ]


def decoded(logdir: Path, output: str = "output.*") -> int:
    """Utterances decoded so far."""
    return sum(path.read_bytes().count(b"\n") for path in logdir.glob(f"{output}/1best_recog/text"))


def came_to(logdir: Path, job: int) -> str:
    """How far a job came, and at which utterance it failed, as ESPnet does not say which file it cannot read."""
    keys = [key for _, key in read_lines(logdir / f"keys.{job}")]
    count = decoded(logdir, f"output.{job}.part")
    return f" after {count} of {len(keys)} utterances, before {keys[count]} was done" if count < len(keys) else ""


if __name__ == "__main__":
    sys.exit(main())
