"""What an operator meets who configures an installation."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.settings import Secret, Settings, SettingsError, load_settings, settings_document

REPOSITORY = Path(__file__).parents[2]


def refused(environ: dict[str, str]) -> str:
    with pytest.raises(SettingsError) as caught:
        load_settings(environ)
    return caught.value.detail


def test_without_any_settings_everything_stays_on_this_machine() -> None:
    settings = load_settings({})
    assert settings.host == "127.0.0.1"
    assert settings.embedded
    assert settings.storage_location == (Path.cwd() / ".data" / "objects").as_uri()
    assert settings.external_url == "http://127.0.0.1:8000"


def test_a_variable_wins_over_the_file_and_the_file_over_the_default(tmp_path: Path) -> None:
    (tmp_path / "homestretch.toml").write_text('port = 9000\nlog_level = "warning"\nworkers = 3\n')
    settings = load_settings({"HOMESTRETCH_DATA": str(tmp_path), "HOMESTRETCH_PORT": "9100"})
    assert (settings.port, settings.log_level, settings.workers) == (9100, "warning", 3)


def test_the_file_can_be_named(tmp_path: Path) -> None:
    file = tmp_path / "clinic.toml"
    file.write_text("video_max_duration_s = 90.5\n")
    assert load_settings({"HOMESTRETCH_CONFIG": str(file)}).video_max_duration_s == 90.5


def test_names_that_platforms_use_work_and_ours_win_over_them() -> None:
    assert load_settings({"PORT": "81"}).port == 81
    assert load_settings({"PORT": "81", "HOMESTRETCH_PORT": "82"}).port == 82
    environ = {"HOMESTRETCH_ENV": "production", "HOMESTRETCH_MONGODB_URI": "mongodb://db/?replicaSet=rs0"}
    assert load_settings(environ).production


def test_an_empty_variable_is_as_good_as_none() -> None:
    assert load_settings({"HOMESTRETCH_PORT": "", "PORT": ""}).port == 8000


@pytest.mark.parametrize(
    ("environ", "named", "expected"),
    [
        ({"HOMESTRETCH_PORT": "eighty"}, "HOMESTRETCH_PORT", "whole number"),
        ({"PORT": "70000"}, "PORT", "65535"),
        ({"HOMESTRETCH_ENV": "prod"}, "HOMESTRETCH_ENV", "development, production"),
        ({"HOMESTRETCH_WORKERS": "-1"}, "HOMESTRETCH_WORKERS", ">= 0"),
        ({"HOMESTRETCH_ALLOW_EMBEDDED_IN_PRODUCTION": "maybe"}, "ALLOW_EMBEDDED", "true or false"),
        ({"HOMESTRETCH_PUBLIC_URL": "clinic.example"}, "HOMESTRETCH_PUBLIC_URL", "https://"),
        ({"HOMESTRETCH_STORAGE_URL": "ftp://x"}, "HOMESTRETCH_STORAGE_URL", "s3://"),
        ({"HOMESTRETCH_MONGODB_URI": "postgres://x"}, "HOMESTRETCH_MONGODB_URI", "mongodb://"),
        ({"HOMESTRETCH_MONGOB_URI": "mongodb://x"}, "HOMESTRETCH_MONGOB_URI", "HOMESTRETCH_MONGODB_URI"),
        ({"HOMESTRETCH_CONFIG": "/nowhere.toml"}, "HOMESTRETCH_CONFIG", "/nowhere.toml"),
        ({"HOMESTRETCH_ENV": "production"}, "HOMESTRETCH_MONGODB_URI", "ALLOW_EMBEDDED_IN_PRODUCTION"),
    ],
)
def test_a_mistake_is_one_line_that_names_the_variable(
    environ: dict[str, str], named: str, expected: str
) -> None:
    detail = refused(environ)
    assert named in detail
    assert expected in detail
    assert "\n" not in detail


def test_a_mistake_in_the_file_is_named_with_the_file(tmp_path: Path) -> None:
    file = tmp_path / "homestretch.toml"
    file.write_text("prot = 80\n")
    detail = refused({"HOMESTRETCH_DATA": str(tmp_path)})
    assert detail == f"prot in {file} is not a setting. Did you mean port?"
    file.write_text("port = \n")
    assert str(file) in refused({"HOMESTRETCH_DATA": str(tmp_path)})


def test_the_embedded_database_serves_production_only_when_somebody_accepts_the_risk() -> None:
    accepted = {"HOMESTRETCH_ENV": "production", "HOMESTRETCH_ALLOW_EMBEDDED_IN_PRODUCTION": "true"}
    assert load_settings(accepted).embedded


@given(st.text(min_size=4).filter(lambda text: text not in repr(Settings())))
def test_a_secret_shows_nowhere(text: str) -> None:
    settings = Settings(master_key=Secret(text), metrics_token=Secret(text), mongodb_uri=Secret(text))
    assert text not in repr(settings)
    assert text not in str(settings.master_key)
    assert text not in f"{settings.master_key}"
    with pytest.raises(TypeError):
        pickle.dumps(settings.master_key)


def test_a_wrong_address_with_a_password_is_refused_without_showing_it() -> None:
    assert "hunter2" not in refused({"HOMESTRETCH_MONGODB_URI": "postgres://me:hunter2@db"})


def test_the_documentation_lists_every_setting_as_it_is() -> None:
    written = (REPOSITORY / "docs" / "settings.md").read_text("utf-8")
    assert written == settings_document(), "write it again: python -m core.settings > docs/settings.md"
    assert all(f"`HOMESTRETCH_{name.upper()}`" in written for name in Settings.__struct_fields__)
