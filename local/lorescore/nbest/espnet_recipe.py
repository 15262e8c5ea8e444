"""Find what an ESPnet recipe (egs2/<corpus>/asr1) has of a set: its decode, its references, its audio.

    <recipe>/exp/asr_train_.../decode_.../<set>/logdir/output.J/{1..N}best_recog    and, for the validation set,
    <recipe>/exp/asr_train_.../decode_.../org/<set>/logdir/output.J/{1..N}best_recog
    <recipe>/{dump/raw/org,dump/raw,data}/<set>/{text,utt2spk,wav.scp}

These are the places of egs2/TEMPLATE/asr1/asr.sh, which filters some of the data directories: the references are those
of the directory that has the utterances of the decode.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lorescore.choices import nearest_hint
from lorescore.errors import InputError
from lorescore.files import read_table, read_yaml

DATA_DIRS = ("dump/raw/org", "dump/raw", "data")
ORG = "org"  # where asr.sh keeps the unfiltered validation set
DEV_SET = re.compile(r"(dev|val|cv)", re.IGNORECASE)
ASR_MODEL = re.compile(r"_asr_model_(.+)")
OTHER_LM = re.compile(r"_(lm|ngram)_")
DECODE_AGAIN = "decode with nbest above 1: asr.sh --stage 12 --inference_args '--nbest 10', or here: --stage 3"
BY_ITSELF = "decode with asr.sh --stage 12 --inference_args '--nbest 10'"


@dataclass(frozen=True, slots=True)
class EspnetSet:
    """A decoded set of the recipe.

    Attributes:
        name: Of the set, without `org/`.
        place: Where it is in the decode's directory: `<set>` or `org/<set>`.
        decode_dir: The directory with `logdir`.
        data_dir: The data directory with its references.
    """

    name: str
    place: str
    decode_dir: Path
    data_dir: Path


@dataclass(frozen=True, slots=True)
class EspnetRecipe:
    """A decode of a model of an ESPnet recipe.

    Attributes:
        directory: The recipe, egs2/<corpus>/asr1.
        asr_exp: The model's directory, exp/asr_train_... in it.
        inference_tag: The name of the decode in that directory.
    """

    directory: Path
    asr_exp: Path
    inference_tag: str

    @classmethod
    def find(cls, asr_exp: Path, inference_tag: str, directory: Path | None = None) -> "EspnetRecipe":
        """The recipe from what the user names.

        Args:
            asr_exp: As seen from here, or from the recipe.
            inference_tag: As asr.sh has it.
            directory: The recipe; None: two folders above `asr_exp`.

        Raises:
            InputError: There is no such directory.
        """
        if not asr_exp.is_dir() and directory is not None and (directory / asr_exp).is_dir():
            asr_exp = directory / asr_exp
        if not asr_exp.is_dir():
            models = sorted(path.parent.name for path in asr_exp.parent.glob("*/config.yaml"))
            hint = f"; {nearest_hint(asr_exp.name, models)}" if models else ""
            raise InputError("no such directory", path=asr_exp, mend=f"correct --asr_exp or --asr_dir{hint}")
        recipe = cls(directory or asr_exp.parent.parent, asr_exp, inference_tag)
        if not inference_tag or not recipe.decode_dir.is_dir():
            tags = sorted({path.relative_to(asr_exp).parts[0] for path in asr_exp.glob("*/*/logdir")})
            hint = f"; {nearest_hint(inference_tag, tags)}" if tags else ""
            raise InputError("no such decode", path=recipe.decode_dir, mend=f"correct --inference_tag{hint}")
        return recipe

    @property
    def decode_dir(self) -> Path:
        """Where the decoded sets are."""
        return self.asr_exp / self.inference_tag

    def decoded(self) -> dict[str, str]:
        """The place of each decoded set by its name."""
        # A set that is there twice is taken unfiltered, from org/<set>.
        found = (path for pattern in ("*/logdir", f"{ORG}/*/logdir") for path in sorted(self.decode_dir.glob(pattern)))
        places = (path.parent.relative_to(self.decode_dir) for path in found)
        return {place.name: place.as_posix() for place in places}

    def find_set(self, name: str) -> EspnetSet:
        """A decoded set by its name, without `org/`.

        Raises:
            InputError: It is not decoded, or its references are not found.
        """
        decoded = self.decoded()
        if name not in decoded:
            hint = nearest_hint(name, sorted(decoded)) if decoded else "decode it"
            raise InputError(f"no decode of the set {name}", path=self.decode_dir, mend=hint)
        decode_dir = self.decode_dir / decoded[name]
        data_dirs = [path for place in DATA_DIRS if ((path := self.directory / place / name) / "text").is_file()]
        if not data_dirs:
            places = ",".join(DATA_DIRS)
            raise InputError(f"no references of the set {name}, expected {{{places}}}/{name}/text", path=self.directory)
        utts = _decoded_utts(decode_dir)
        of_these = (path for path in data_dirs if read_table(path / "text").keys() == utts)
        return EspnetSet(name, decoded[name], decode_dir, next(of_these, data_dirs[0]))

    def likely_dev_set(self) -> str:
        """The set to tune weights on where the user has named none: the validation set, or the one dev set.

        Raises:
            InputError: It is not plain which one.
        """
        decoded = self.decoded()
        of_asr = [name for name, place in decoded.items() if place.startswith(f"{ORG}/")]
        likely = of_asr or [name for name in decoded if DEV_SET.match(name)]
        if len(likely) != 1:
            message = "which set are the weights to be tuned on?"
            raise InputError(message, path=self.decode_dir, mend=f"--dev_set, one of: {' '.join(sorted(decoded))}")
        return likely[0]

    def decode_config(self) -> Path:
        """The configuration of the decode, after whose name asr.sh calls it.

        Raises:
            InputError: It is not found, or an LM took part, which is not known from the name alone.
        """
        if OTHER_LM.search(self.inference_tag):
            raise InputError("a language model took part in this decode", path=self.decode_dir, mend=BY_ITSELF)
        configs = [
            path
            for path in sorted((self.directory / "conf").rglob("*.yaml"))
            if re.match(rf"{re.escape(path.stem)}(_|$)", self.inference_tag)
        ]
        if not configs:
            message = f"no conf/*.yaml for {self.inference_tag}"
            raise InputError(message, path=self.directory, mend="name it: --decode_config")
        return max(configs, key=lambda path: len(path.stem))

    def asr_model(self) -> str:
        """The checkpoint of the decode, which asr.sh appends to its name; empty where it has not."""
        match = ASR_MODEL.search(self.inference_tag)
        return f"{match[1]}.pth" if match else ""


def require_nbest(decode_dir: Path) -> None:
    """Check that a decode has more than the best hypothesis.

    Raises:
        InputError: It has not.
    """
    if not any((decode_dir / "logdir").glob("output.*/2best_recog")):
        raise InputError("the decode has the best hypothesis alone", path=decode_dir, mend=DECODE_AGAIN)


def require_audio(data_dir: Path) -> None:
    """Check that ESPnet can read the audio of a data directory as files of sound.

    Raises:
        InputError: It cannot.
    """
    path = data_dir / "wav.scp"
    for number, place in enumerate(read_table(path, mend=BY_ITSELF).values(), start=1):
        if place.endswith("|") or re.search(r"\.ark:\d+$", place):
            message = "audio from a pipe or a Kaldi archive, expected a file"
            raise InputError(message, path=path, line=number, mend=BY_ITSELF)


def nbest_config(config: Path, nbest: int) -> dict[str, object]:
    """A decoding configuration with so many hypotheses an utterance; the beam is at least as wide."""
    content = read_yaml(config)
    beam = content.get("beam_size", nbest)
    return content | {"nbest": nbest, "beam_size": max(nbest, beam) if isinstance(beam, int) else nbest}


def _decoded_utts(decode_dir: Path) -> set[str]:
    """The utterances of a decode."""

    def utts() -> Iterator[str]:
        for path in (decode_dir / "logdir").glob("output.*/1best_recog/text"):
            yield from read_table(path)

    return set(utts())
