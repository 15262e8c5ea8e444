"""Which PLM a user names, and the settings of conf/plm."""

from pathlib import Path

import pytest

from lorescore.errors import InputError
from lorescore.files import write_yaml
from lorescore.plm.settings import PlmSettings

CONF_DIR = Path(__file__).parents[2] / "conf" / "plm"


@pytest.mark.parametrize("path", sorted(CONF_DIR.glob("*.yaml")), ids=lambda path: path.stem)
def test_the_files_of_conf_are_read_and_round_trip(path: Path) -> None:
    settings = PlmSettings.find(path.stem, CONF_DIR)
    assert settings.name == path.stem
    assert PlmSettings.from_dict(settings.to_dict()) == settings


def test_a_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "MyModel").mkdir()
    monkeypatch.chdir(tmp_path)
    for plm in ("MyModel", "./MyModel", str(tmp_path / "MyModel")):
        settings = PlmSettings.find(plm, CONF_DIR)
        assert (settings.name, settings.model) == ("MyModel", str(tmp_path / "MyModel"))
    assert settings.targets == ("all-linear",)


def test_a_name_on_the_hub() -> None:
    settings = PlmSettings.find("HuggingFaceTB/SmolLM2-135M", CONF_DIR)
    assert (settings.name, settings.model) == ("smollm2-135m", "HuggingFaceTB/SmolLM2-135M")


@pytest.mark.parametrize("plm", ["smolm2", "./none", "/none/at/all"])
def test_none_of_the_three(plm: str) -> None:
    with pytest.raises(InputError, match=r"--plm .* is not known .*valid: minilm smollm2"):
        PlmSettings.find(plm, CONF_DIR)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"modell": "x"}, "setting 'modell' is not known.*did you mean model"),
        ({"scorer": "pl"}, "incomplete PLM settings.*model"),
        ({"model": "x", "scorer": "clsm"}, "scorer 'clsm' is not known"),
        ({"model": "x", "plm_text": "Lower"}, "plm_text 'Lower' is not known.*did you mean lower"),
    ],
)
def test_settings_that_are_wrong(tmp_path: Path, content: dict[str, str], message: str) -> None:
    write_yaml(tmp_path / "mine.yaml", content)
    with pytest.raises(InputError, match=message):
        PlmSettings.find("mine", tmp_path)
