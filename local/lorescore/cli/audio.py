"""The audio of a Kaldi data directory as ESPnet reads it: `wav.scp` with one file of sound for each utterance."""

import wave
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from lorescore.errors import InputError
from lorescore.files import read_table, read_yaml

DEFAULT_RATE = 16_000  # of ESPnet's default frontend
DEFAULT_WINDOW = 512  # samples; likewise
NOT_SAID = 2**31 - 2**16  # bytes: what writes a WAV file into a pipe says the largest size there is, or nearly
OWN_FILES = "wav.scp needs a file for each utterance, as ESPnet's scripts/audio/format_wav_scp.sh makes them"


def read_wav_scp(data_dir: Path) -> dict[str, str]:
    """The utterances of a Kaldi data directory, in the file's order.

    Raises:
        InputError: The file is missing, malformed or empty, or `segments` cuts its recordings into utterances.
    """
    path, segments_path = data_dir / "wav.scp", data_dir / "segments"
    utts = read_table(path, mend="stage 1 makes it")
    if not utts:
        raise InputError("empty, expected `utt file`", path=path, mend="stage 1 makes it")
    # Files of utterances may have segments too, which say where they come from.
    if segments_path.is_file() and not utts.keys() <= read_table(segments_path).keys():
        message = "wav.scp has recordings, which this file cuts into utterances"
        raise InputError(message, path=segments_path, mend=OWN_FILES)
    return utts


def require_sound(utts: Mapping[str, str], data_dir: Path, config: Path, *, any_length: bool = False) -> None:
    """Check the header of each file of sound, before hours of decoding or training.

    Args:
        utts: The file of each utterance, as `read_wav_scp` has them.
        data_dir: The Kaldi data directory that they are of.
        config: ESPnet's configuration of the model: `config.yaml`, or what it is to be trained with.
        any_length: Pass over utterances that are too short for the spectrum, at which ESPnet's own programs fail.

    Raises:
        InputError: A file is missing (which a pipe or a place in an archive is too), no sound, empty, cut off or too
            short, or its sampling rate is not the model's: ESPnet would take it for slow or fast speech.
    """
    import soundfile  # not in every environment

    rate = model_rate(config)
    fewest = 1 if any_length else _fewest_samples(config)
    path = data_dir / "wav.scp"
    for line, (utt, place) in enumerate(utts.items(), start=1):
        if not Path(place).is_file():
            raise InputError(f"utterance {utt}: {place:.80}: no such file", path=path, line=line, mend=OWN_FILES)
        try:
            header = soundfile.info(place)
        except (soundfile.SoundFileError, RuntimeError):
            header = None
        if header is None or not header.frames:
            message = f"utterance {utt}: {place:.80}: no sound in it that libsndfile can read"
            raise InputError(message, path=path, line=line, mend="make the file again, or delete the utterance")
        if (said := _samples_said(place)) > header.frames:
            message = f"utterance {utt}: {place:.80} is cut off: it has {header.frames} of its {said} samples"
            raise InputError(message, path=path, line=line, mend="make or copy the file again")
        if header.frames < fewest:
            message = f"utterance {utt}: {place:.80} has {header.frames} samples, the model needs {fewest} or more"
            raise InputError(message, path=path, line=line, mend="delete the utterance")
        if rate is not None and header.samplerate != rate:
            message = f"utterance {utt}: {place:.80} has {header.samplerate} samples a second, the model expects {rate}"
            raise InputError(message, path=path, line=line, mend="resample it: sox IN -r RATE OUT")


def model_rate(config: Path) -> int | None:
    """Samples a second of the audio that a model takes; None where its configuration does not say.

    Raises:
        InputError: The configuration cannot be read.
    """
    from humanfriendly import parse_size

    settings, default = _frontend(config, DEFAULT_RATE)
    rate = settings.get("fs", default)
    return None if rate is None else parse_size(str(rate))


def _samples_said(place: str) -> int:
    """Samples that the header of a WAV file speaks of, which libsndfile passes over; 0 for what says nothing."""
    with suppress(wave.Error, EOFError), wave.open(place, "rb") as file:
        if file.getnframes() * file.getsampwidth() * file.getnchannels() < NOT_SAID:
            return file.getnframes()
    return 0


def _fewest_samples(config: Path) -> int:
    """Samples that the spectrum takes, half a window at each end of which is a reflection of them; 1: not known."""
    settings, default = _frontend(config, DEFAULT_WINDOW)
    return 1 if default is None else settings.get("n_fft", default) // 2 + 1


def _frontend(config: Path, default: int) -> tuple[dict[str, Any], int | None]:
    """The settings of a model's frontend, and this default where it is ESPnet's default one, which none named is."""
    content = read_yaml(config)
    settings = content.get("frontend_conf")
    is_default = content.get("frontend", "default") == "default"
    return settings if isinstance(settings, dict) else {}, default if is_default else None
