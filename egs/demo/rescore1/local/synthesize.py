#!/usr/bin/env python3
"""Speak a list of sentences with espeak-ng, add noise and write a Kaldi data directory.

Speaker, rate, pitch, noise colour and signal-to-noise ratio are drawn from a generator seeded by (seed, sentence), so
that an utterance sounds the same whatever is spoken beside it, in whatever order and by however many jobs.
"""

import argparse
import hashlib
import io
import itertools
import os
import shutil
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import soundfile
import soxr

from lorescore.cli.progress import progress
from lorescore.files import atomic_write

SAMPLE_RATE = 16000  # Hz
ACCENTS = {"gb": "en-gb", "us": "en-us", "rp": "en-gb-x-rp", "sc": "en-gb-scotland", "wm": "en-gb-x-gbcwmd"}
VARIANTS = ("m1", "m3", "m7", "f1", "f2", "f4")  # espeak-ng's voice variants, male and female
RATE = (135, 200)  # words a minute
PITCH = (30, 70)  # espeak-ng's scale, 0..99
PEAK = 0.7  # of full scale, before the noise


def generator(seed: int, sentence: str) -> tuple[str, np.random.Generator]:
    """The sentence's hash (eight hexadecimal digits, for its utterance id) and its own random generator."""
    digest = hashlib.sha256(f"{seed}:speech:{sentence}".encode()).digest()
    return digest[:4].hex(), np.random.default_rng(int.from_bytes(digest, "big"))


def speak(sentence: str, voice: str, rate: int, pitch: int) -> np.ndarray:
    """Clean speech of `sentence`, (num_samples,) at SAMPLE_RATE, peak at PEAK."""
    command = ["espeak-ng", "-v", voice, "-s", str(rate), "-p", str(pitch), "--stdout", "--", sentence]
    wav = subprocess.run(command, check=True, capture_output=True).stdout
    samples, rate_in = soundfile.read(io.BytesIO(wav), dtype="float64")
    samples = soxr.resample(samples, rate_in, SAMPLE_RATE)
    return samples * (PEAK / np.abs(samples).max())


def add_noise(samples: np.ndarray, snr_range: tuple[float, float], rng: np.random.Generator) -> np.ndarray:
    """White noise or pink noise (power falling with frequency), at a random SNR (dB) over the utterance."""
    noise = rng.standard_normal(len(samples))
    if rng.random() < 0.5:
        spectrum = np.fft.rfft(noise)
        spectrum /= np.sqrt(np.arange(1, len(spectrum) + 1))
        noise = np.fft.irfft(spectrum, len(samples))
    snr = rng.uniform(*snr_range)
    gain = np.sqrt(np.mean(samples**2) / np.mean(noise**2) / 10 ** (snr / 10))
    return np.clip(samples + gain * noise, -1.0, 1.0)


def synthesize(sentence: str, seed: int, snr_range: tuple[float, float], wav_dir: Path) -> tuple[str, str, Path, str]:
    """Speak one sentence; (utterance, speaker, wav file, sentence). A finished file is left as it is."""
    sentence_hash, rng = generator(seed, sentence)
    accent, variant = rng.choice(sorted(ACCENTS)), rng.choice(VARIANTS)
    rate, pitch = int(rng.integers(*RATE)), int(rng.integers(*PITCH))
    speaker = f"{accent}_{variant}"
    utt = f"{speaker}-{sentence_hash}"
    path = wav_dir / sentence_hash[:2] / f"{utt}.wav"
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        samples = add_noise(speak(sentence, f"{ACCENTS[accent]}+{variant}", rate, pitch), snr_range, rng)
        temporary = path.with_suffix(".tmp")
        soundfile.write(temporary, samples, SAMPLE_RATE, subtype="PCM_16", format="WAV")
        temporary.rename(path)
    return utt, speaker, path, sentence


def write_data_dir(utterances: list[tuple[str, str, Path, str]], data_dir: Path) -> None:
    """Kaldi's wav.scp, text, utt2spk and spk2utt, sorted by key in the C locale. `text` is written last."""
    for (utt, _, _, one), (next_utt, _, _, other) in itertools.pairwise(utterances):
        if utt == next_utt:
            raise SystemExit(f"{data_dir}: {one!r} and {other!r} have one utterance id, {utt}: choose another --seed")
    spk2utt: dict[str, list[str]] = {}
    for utt, speaker, _, _ in utterances:
        spk2utt.setdefault(speaker, []).append(utt)
    tables = {
        "wav.scp": [f"{utt} {path}" for utt, _, path, _ in utterances],
        "utt2spk": [f"{utt} {speaker}" for utt, speaker, _, _ in utterances],
        "spk2utt": [f"{speaker} {' '.join(utts)}" for speaker, utts in sorted(spk2utt.items())],
        "text": [f"{utt} {sentence}" for utt, _, _, sentence in utterances],
    }
    for name, lines in tables.items():
        with atomic_write(data_dir / name) as file:
            file.writelines(f"{line}\n" for line in lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=2401)
    parser.add_argument("--snr", type=float, nargs=2, default=(10.0, 30.0), help="lowest and highest SNR, dB")
    parser.add_argument("--nj", type=int, default=os.cpu_count(), help="utterances spoken at once")
    parser.add_argument("--max_utts", type=int, help="take the first sentences only")
    parser.add_argument("sentences", type=Path, help="a sentence a line")
    parser.add_argument("data_dir", type=Path, help="Kaldi data directory to write; the audio goes to its wav/")
    args = parser.parse_args()

    if shutil.which("espeak-ng") is None:
        raise SystemExit("espeak-ng: not found: install Debian's espeak-ng")
    if not args.sentences.is_file():
        raise SystemExit(f"{args.sentences}: not found: prepare_text.py makes it")
    # Each once, as an utterance id comes from its sentence.
    sentences = list(dict.fromkeys(args.sentences.read_text(encoding="utf-8").splitlines()))[: args.max_utts]
    wav_dir, snr_range = args.data_dir / "wav", tuple(args.snr)
    pool = ThreadPoolExecutor(args.nj)
    try:
        jobs = [pool.submit(synthesize, sentence, args.seed, snr_range, wav_dir) for sentence in sentences]
        utterances = sorted(job.result() for job in progress(args.data_dir.name)(jobs, "speaking"))
    except KeyboardInterrupt:
        print(f"{args.data_dir}: interrupted; start it again to go on", file=sys.stderr)
        sys.exit(128 + signal.SIGINT)
    finally:
        pool.shutdown(cancel_futures=True)  # else all that are left would be spoken first
    write_data_dir(utterances, args.data_dir)


if __name__ == "__main__":
    main()
