"""A stored blob is on the device before anyone hears that it is stored."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from obstore.store import S3Store

from core.errors import Unavailable
from core.storage.blobs import BlobStore
from core.storage.errors import TamperedObject


async def test_blobs_are_put_listed_and_deleted(tmp_path: Path) -> None:
    store = BlobStore.at((tmp_path / "a folder" / "objects").as_uri())
    await store.put("org_1/obj_1/0.1", b"one")
    await store.put("org_1/obj_1/1.1", b"two")
    await store.put("org_1/obj_10/0.1", b"of another object")
    assert await store.get("org_1/obj_1/1.1") == b"two"
    assert sorted(await store.list("org_1/obj_1")) == ["org_1/obj_1/0.1", "org_1/obj_1/1.1"]
    await store.delete(["org_1/obj_1/0.1", "org_1/obj_1/gone-before", "org_1/obj_1/1.1"])
    assert await store.list("org_1/obj_1") == []
    assert await store.get("org_1/obj_10/0.1") == b"of another object"


async def test_a_missing_blob_is_an_alarm(tmp_path: Path) -> None:
    store = BlobStore.at(tmp_path.as_uri())
    with pytest.raises(TamperedObject, match="missing"):
        await store.get("org_1/obj_1/0.1")


async def test_a_store_that_fails_is_unavailable_and_tells_no_paths(tmp_path: Path) -> None:
    store = BlobStore.at(tmp_path.as_uri())
    (tmp_path / "org_1").write_text("a file where a folder should be")
    with pytest.raises(Unavailable) as failed:
        await store.put("org_1/obj_1/0.1", b"content")
    assert "org_1" not in failed.value.detail
    unreachable = BlobStore(
        S3Store(
            "clinic",
            endpoint="http://127.0.0.1:9",
            access_key_id="made-up",
            secret_access_key="made-up",
            client_options={"allow_http": True},
            retry_config={"max_retries": 0},
        )
    )
    with pytest.raises(Unavailable):
        await unreachable.check()


async def test_the_file_and_every_folder_down_to_it_are_flushed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed: list[str] = []
    real_fsync = os.fsync

    def noting(descriptor: int) -> None:
        flushed.append(str(Path(f"/proc/self/fd/{descriptor}").readlink().relative_to(tmp_path)))
        real_fsync(descriptor)

    monkeypatch.setattr(os, "fsync", noting)
    await BlobStore.at(tmp_path.as_uri()).put("org_1/obj_1/0.1", b"content")
    assert flushed == ["org_1/obj_1/0.1", "org_1/obj_1", "org_1", "."]


def test_a_bucket_is_named_by_its_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    assert isinstance(BlobStore.at("s3://clinic/recordings"), BlobStore)


async def test_what_a_crash_left_of_a_put_is_found_and_removed(tmp_path: Path) -> None:
    blobs = BlobStore.at(tmp_path.as_uri())
    await blobs.put("org_1/obj_1/0.1", b"whole")
    for name in ("obj_1/0.2#1", "obj_2/0.1#2"):  # as obstore names a file before it is in its place
        (tmp_path / "org_1" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "org_1" / name).write_bytes(b"to")
    assert sorted(await blobs.list("org_1/obj_1")) == ["org_1/obj_1/0.1", "org_1/obj_1/0.2#1"]
    await blobs.delete(["org_1/obj_1/0.2#1", "org_1/obj_2/0.1#2"])
    assert await blobs.list("org_1/obj_1") == ["org_1/obj_1/0.1"]
    assert not (tmp_path / "org_1" / "obj_2").exists()
