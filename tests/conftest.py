"""Fixtures that several test folders share."""

import tarfile
from pathlib import Path

import pytest
from hypothesis import settings

# A machine whose cores are all taken is slow now and then, which says nothing of the code. The examples are the same in
# every run, so that a failure is of the change that it is seen with; `--hypothesis-profile random` draws others.
settings.register_profile("random", deadline=None)
settings.register_profile("lorescore", settings.get_profile("random"), derandomize=True)
settings.load_profile("lorescore")

ROOT = Path(__file__).resolve().parents[1]
LIBRISPEECH = ROOT.parent / "shared" / "data" / "librispeech_dev_10best.tar.gz"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The minutes-long tests first, so that no core waits for one of them at the end."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


@pytest.fixture(scope="session")
def librispeech_dev(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real ESPnet decode of LibriSpeech dev-clean and dev-other: dev_clean/, dev_other/ with logdir and ref_text."""
    if not LIBRISPEECH.is_file():
        pytest.skip(f"the LibriSpeech dev lists are not here: {LIBRISPEECH.name}")
    folder = tmp_path_factory.mktemp("librispeech")
    with tarfile.open(LIBRISPEECH) as archive:
        filtered = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}  # Debian 12's Python 3.11.2 has none
        archive.extractall(folder, **filtered)
    return folder / "librispeech_dev_10best"
