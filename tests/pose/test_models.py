"""The landmark models on this machine are the validated ones."""

from pathlib import Path

import pytest

from pose.errors import ModelMissing
from pose.models import VARIANTS, build_models, missing_models, model_path, models_directory


def test_the_built_models_are_byte_for_byte_the_validated_ones() -> None:
    assert missing_models(models_directory()) == []
    assert build_models(models_directory()) == []


def test_a_model_that_was_tampered_with_counts_as_missing(tmp_path: Path) -> None:
    for variant in VARIANTS:
        content = bytearray(model_path(variant).read_bytes())
        content[len(content) // 2] ^= 1
        (tmp_path / model_path(variant).name).write_bytes(content)
    assert missing_models(tmp_path) == list(VARIANTS)


def test_a_machine_without_models_says_how_to_get_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOMESTRETCH_POSE_MODELS", str(tmp_path))
    with pytest.raises(ModelMissing, match=r"python -m pose\.models"):
        model_path("full")


def test_without_npm_the_build_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ModelMissing, match="npm is needed"):
        build_models(tmp_path / "models")
