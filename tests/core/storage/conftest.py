from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from core.storage.objects import ObjectStorage

# Examples share a database: each makes documents of its own. Other work on the machine is no failure.
settings.register_profile(
    "storage",
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
settings.load_profile("storage")


@pytest.fixture
def store_folder(tmp_path: Path) -> Path:
    """Where the sealed bytes lie."""
    return tmp_path / "objects"


@pytest.fixture
def storage(store_folder: Path) -> ObjectStorage:
    return ObjectStorage.at(store_folder.as_uri())
