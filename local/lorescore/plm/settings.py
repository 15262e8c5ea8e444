"""Which PLM, and how text is put to it: one YAML file a model under conf/plm.

A PLM is named by a file of conf/plm (`smollm2`), by a directory that holds a Hugging Face model, or by its name on
the Hugging Face hub (`org/model`).
"""

from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from lorescore.choices import SCORERS, TEXT_CASES, TEXT_SPACES, require_choice, require_kind
from lorescore.errors import InputError
from lorescore.files import read_yaml

# In the repository a link to the top level's conf, in the wheel the files themselves.
CONF_DIR = Path(__file__).resolve().parents[1] / "conf"
PLM_ROOT = Path("exp/plm_base")  # where fetched PLMs are where nothing else is said
ALL_LINEAR = "all-linear"  # PEFT's word for every linear layer but the output layer


@dataclass(frozen=True)
class PlmSettings:
    """A pretrained language model and how text is put to it.

    Attributes:
        name: Short name, part of a rescorer's tag.
        model: `package:MODULE/PATH` (a file or folder inside an installed Python package), a directory, or a name on
            the Hugging Face hub.
        scorer: What gives the score, `clm`, `cls` or `pll`.
        plm_text: Text case: `lower`, `sentence`, `upper` or `as-is`.
        plm_spaces: `auto`: no spaces between characters of scripts that are written without; `keep`: as they are.
        bos: Token that stands before the text of a `clm`; empty: the tokenizer's own.
        eos: Token that closes the text of a `clm` and is scored with it; empty: the end is not scored.
        within_word_l2r: Whether a `pll` masks the later tokens of a word together with each of its tokens.
        targets: The linear layers that LoRA adapts, by name, as PEFT's `target_modules`.
    """

    name: str
    model: str
    scorer: str = "clm"
    plm_text: str = "sentence"
    plm_spaces: str = "auto"
    bos: str = ""
    eos: str = ""
    within_word_l2r: bool = False
    targets: tuple[str, ...] = (ALL_LINEAR,)

    def __post_init__(self) -> None:
        for name in ("name", "model", "bos", "eos"):
            value = getattr(self, name)
            # For YAML a token that is left empty is None.
            require_kind(name, "" if value is None and name in ("bos", "eos") else value, str)
        if not (isinstance(self.targets, tuple) and self.targets and all(isinstance(one, str) for one in self.targets)):
            example = self.targets if isinstance(self.targets, str) and self.targets else ALL_LINEAR
            raise InputError(
                f"targets is {self.targets!r}, expected a list of layers' names", mend=f"such as [{example}]"
            )
        require_choice("scorer", self.scorer, SCORERS)
        require_choice("plm_text", self.plm_text, TEXT_CASES)
        require_choice("plm_spaces", self.plm_spaces, TEXT_SPACES)
        if not isinstance(self.within_word_l2r, bool):
            raise InputError(f"within_word_l2r {self.within_word_l2r!r}, expected true or false")

    @property
    def given_as(self) -> str:
        """What a user names it by: its file of conf/plm, or else its directory or its name on the hub."""
        path = CONF_DIR / "plm" / f"{self.name}.yaml"
        return self.name if path.is_file() and read_yaml(path).get("model") == self.model else self.model

    def to_dict(self) -> dict[str, Any]:
        """As plain YAML types."""
        return asdict(self) | {"targets": list(self.targets)}

    @classmethod
    def from_dict(cls, content: dict[str, Any], path: Path | None = None) -> "PlmSettings":
        """From plain YAML types.

        Raises:
            InputError: A setting is not known or not valid, or there is no model.
        """
        try:
            for key in content:
                require_choice("setting", key, [field.name for field in fields(cls)])
            for key in ("name", "model"):
                if key not in content:
                    raise InputError(f"{key} is missing", mend=f"add the line `{key}: ...`")
            targets = content.get("targets")
            return cls(**content | ({"targets": tuple(targets)} if isinstance(targets, list) else {}))
        except InputError as error:
            raise InputError(error.message, path=path, mend=error.mend) from error

    @classmethod
    def find(cls, plm: str, conf_dir: Path) -> "PlmSettings":
        """The settings of the PLM that a user names.

        Args:
            plm: A file of `conf_dir` without `.yaml`, any such file's path, a directory, or a Hugging Face name
                `org/model`.
            conf_dir: The folder of PLM settings, conf/plm.

        Raises:
            InputError: It is none of these.
        """
        is_path = plm.endswith(".yaml")
        path = Path(plm) if is_path else conf_dir / f"{plm}.yaml"
        if is_path or path.is_file():
            return cls.from_dict({"name": path.stem} | read_yaml(path), path)
        if Path(plm).is_dir():
            real = Path(plm).resolve()
            # A link's own name, where the directory's cannot be part of a tag.
            return cls(name=Path(plm).name if Path(plm).is_symlink() else real.name, model=str(real))
        if "/" in plm and not plm.startswith((".", "/")):
            return cls(name=plm.rpartition("/")[2].lower(), model=plm)
        known = sorted(file.stem for file in conf_dir.glob("*.yaml"))
        require_choice("--plm", plm, known)
        raise AssertionError("unreachable: a known name has its file")
