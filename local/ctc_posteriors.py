#!/usr/bin/env python3
"""Stage 3: CTC log posteriors of an ESPnet model over a data directory, as Kaldi matrix archives.

    <out_dir>/ctc.J.ark, ctc.J.scp    utterances of job J in the order of their ids: (frames, tokens) float32
    <out_dir>/ctc.J.too_short         utterances that are too short for the model: they have no posteriors
    <out_dir>/frame_shift             seconds from a frame to the next
    <out_dir>/log/ctc.J.log

Column n belongs to token n of the model, the blank is column 0; each row is log-normalised. Utterances go through the
model one by one and on one thread, so that an utterance's matrix is the same bytes whatever the number of jobs. An
interrupted call goes on with the jobs that are missing; `ctc.stamp` says what the archives were made from.
"""

import argparse
import os
import shutil
import sys
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from espnet_unchecked import leave_out_type_checks
from lorescore.cli.audio import DEFAULT_RATE, model_rate, read_wav_scp, require_sound
from lorescore.cli.jobs import Job, run_jobs, shares
from lorescore.errors import InputError
from lorescore.files import atomic_write, checksum, read_lines, read_table, write_table
from lorescore.lattice.source import FRAME_SHIFT_FILE
from lorescore.stamp import Stamp

if TYPE_CHECKING:
    import torch

FEW_FRAMES, MORE_FRAMES = 5, 15  # of less than a second of speech; a frame is 10 to 80 ms long
MOST_SECONDS = 4
SHORTER_THAN_A_WINDOW = "Padding size should be less"  # of torch.stft, where ESPnet's frontend has no check of its own


def main(argv: list[str] | None = None) -> int:
    """Compute posteriors; the exit status: 0, or 1 for bad input or a failed job."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--asr_exp", type=Path, required=True, help="ESPnet experiment with config.yaml")
    parser.add_argument("--asr_model", default="valid.acc.ave.pth", help="checkpoint in it")
    parser.add_argument("--data_dir", type=Path, required=True, help="Kaldi data directory with wav.scp")
    parser.add_argument("--out_dir", type=Path, required=True, help="output")
    parser.add_argument("--nj", type=int, default=os.cpu_count(), help="parallel jobs")
    parser.add_argument("--ngpu", type=int, default=0, help="1: on the GPU")
    parser.add_argument("--job", type=int, help=argparse.SUPPRESS)  # how the program calls itself
    args = parser.parse_args(argv)
    try:
        if args.job is not None:
            leave_out_type_checks()
            run_job(args)
            return 0
        return run(args, [*(argv if argv is not None else sys.argv[1:])])
    except InputError as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return 1


def run(args: argparse.Namespace, options: Sequence[str]) -> int:
    """Start the jobs that are missing and wait for them; the exit status.

    Raises:
        InputError: An input is missing or empty, or the output cannot be written.
    """
    utts = read_wav_scp(args.data_dir)
    inputs = [args.asr_exp / "config.yaml", args.asr_exp / args.asr_model, args.data_dir / "wav.scp"]
    stamp = Stamp(args.out_dir / "ctc.stamp", checksum(inputs))
    if not stamp.is_current():
        require_sound(utts, args.data_dir, args.asr_exp / "config.yaml", any_length=True)
        for old in [*args.out_dir.glob("ctc.*"), *args.out_dir.glob("log/wav.*.scp")]:
            old.unlink()
        for job, part in enumerate(shares(sorted(utts.items()), args.nj), start=1):
            write_table(job_scp(args, job), part)
        stamp.write()

    nj = sum(1 for _ in args.out_dir.glob("log/wav.*.scp"))  # what was begun goes on as it was split
    jobs = [job for job in range(1, nj + 1) if not (args.out_dir / f"ctc.{job}.scp").is_file()]
    if not jobs:
        print(f"{args.out_dir}: posteriors of {len(utts)} utterances, computed before")
        return 0
    print(f"{args.out_dir}: posteriors, jobs {' '.join(map(str, jobs))} of {nj}; logs: {args.out_dir}/log/ctc.*.log")
    folders = [args.out_dir / "log" / f"ctc.{job}.part" for job in jobs]
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)

    def done() -> int:
        scps = [*args.out_dir.glob("ctc.*.scp"), *(folder / "scp" for folder in folders)]
        return sum(path.read_bytes().count(b"\n") for path in scps if path.is_file())

    commands = {job: [sys.executable, __file__, *options, "--job", str(job)] for job in jobs}
    logs = {job: args.out_dir / "log" / f"ctc.{job}.log" for job in jobs}
    failed = run_jobs(
        [Job(job, commands[job], logs[job]) for job in jobs], str(args.out_dir), total=len(utts), done=done
    )
    for job in jobs:
        too_short = args.out_dir / f"ctc.{job}.too_short"
        for utt in read_table(too_short) if too_short.is_file() else ():
            print(f"{args.out_dir}: utterance {utt} is too short for the model: no posteriors", file=sys.stderr)
    return int(failed)


def run_job(args: argparse.Namespace) -> None:
    """Write one job's archive; its scp appears when all is complete."""
    import kaldiio

    ark, scp = (args.out_dir / f"ctc.{args.job}.{kind}" for kind in ("ark", "scp"))
    partial = args.out_dir / "log" / f"ctc.{args.job}.part"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    too_short = []
    recogniser = Recogniser.load(args.asr_exp, args.asr_model, "cuda" if args.ngpu > 0 else "cpu")
    for name in ("ark", "scp"):
        (partial / name).touch()
    for utt, speech in recogniser.utterances(job_scp(args, args.job)):
        log_probs = recogniser.posteriors(speech)
        if log_probs is None:
            print(f"utterance {utt} is too short", file=sys.stderr)
            too_short.append(utt)
        else:  # not a WriteHelper, which takes a comma in a path for its own
            kaldiio.save_ark(str(partial / "ark"), {utt: log_probs}, scp=str(partial / "scp"), append=True)
    write_table(args.out_dir / f"ctc.{args.job}.too_short", [(utt, "") for utt in too_short])
    if args.job == 1:  # it is the model's, whatever the utterances are
        rate = model_rate(args.asr_exp / "config.yaml") or DEFAULT_RATE
        with atomic_write(args.out_dir / FRAME_SHIFT_FILE) as file:
            file.write(f"{recogniser.frame_shift(rate):g}\n")
    lines = [line for _, line in read_lines(partial / "scp")]
    (partial / "ark").replace(ark)
    with atomic_write(scp) as file:
        for line in lines:
            utt, _, place = line.partition(" ")
            file.write(f"{utt} {ark}:{place.rpartition(':')[2]}\n")
    shutil.rmtree(partial)


def job_scp(args: argparse.Namespace, job: int) -> Path:
    """The part of wav.scp that is a job's."""
    return args.out_dir / "log" / f"wav.{job}.scp"


class Recogniser:
    """An ESPnet model with a CTC branch.

    Args:
        model: The model, in evaluation mode.
        train_args: What it was trained with.
        device: Where it is.
    """

    def __init__(self, model: Any, train_args: argparse.Namespace, device: str) -> None:
        self.model, self.train_args, self.device = model, train_args, device

    @classmethod
    def load(cls, asr_exp: Path, asr_model: str, device: str) -> "Recogniser":
        """Read it; one thread from now on.

        Raises:
            InputError: The model has no CTC branch.
        """
        import torch
        from espnet2.tasks.asr import ASRTask

        torch.set_num_threads(1)
        config = asr_exp / "config.yaml"
        model, train_args = ASRTask.build_model_from_file(config, asr_exp / asr_model, device)
        if getattr(model, "ctc", None) is None:
            raise InputError("the model has no CTC branch", path=config, mend="train with ctc_weight > 0")
        return cls(model.eval(), train_args, device)

    def utterances(self, wav_scp: Path) -> Iterator[tuple[str, "torch.Tensor"]]:
        """The utterances of a wav.scp with their samples, (1, samples)."""
        from espnet2.tasks.asr import ASRTask

        loader = ASRTask.build_streaming_iterator(
            [(str(wav_scp), "speech", "sound")],
            dtype="float32",
            batch_size=1,
            key_file=str(wav_scp),
            num_workers=0,
            preprocess_fn=ASRTask.build_preprocess_fn(self.train_args, False),
            collate_fn=ASRTask.build_collate_fn(self.train_args, False),
            inference=True,
        )
        for (utt,), batch in loader:
            yield utt, batch["speech"]

    def posteriors(self, speech: "torch.Tensor") -> np.ndarray | None:
        """Log posteriors of an utterance, (frames, tokens) float32; None where it is too short for the model."""
        import torch
        from espnet.nets.pytorch_backend.transformer.subsampling import TooShortUttError

        lengths = torch.tensor([speech.shape[1]])
        with torch.inference_mode():
            try:
                encoded, lengths = self.model.encode(speech.to(self.device), lengths.to(self.device))
            except (TooShortUttError, RuntimeError) as error:
                if not isinstance(error, TooShortUttError) and SHORTER_THAN_A_WINDOW not in str(error):
                    raise
                return None
            # A model with intermediate CTC gives its last layer first.
            last = encoded[0] if isinstance(encoded, tuple) else encoded
            return self.model.ctc.log_softmax(last)[0, : int(lengths[0])].float().cpu().numpy()

    def frame_shift(self, rate: int) -> float:
        """Seconds from a frame to the next: of so many more samples the model makes one frame more.

        Args:
            rate: Samples a second of the audio that it takes.
        """
        import torch

        def num_frames(num_samples: int) -> int:
            log_probs = self.posteriors(torch.zeros(1, num_samples))
            return 0 if log_probs is None else len(log_probs)

        # The first number of samples that gives so many frames.
        counts = range(MOST_SECONDS * rate)
        few, more = (bisect_left(counts, frames, lo=1, key=num_frames) for frames in (FEW_FRAMES, MORE_FRAMES))
        return (more - few) / (MORE_FRAMES - FEW_FRAMES) / rate


if __name__ == "__main__":
    sys.exit(main())
