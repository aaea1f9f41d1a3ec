"""The ISO 20022 schemas as files: those of the build, and on top those of the operator's own folder."""

from collections.abc import Sequence
from pathlib import Path

from postbus.domain.iso20022.messages import MessageType
from postbus.domain.iso20022.schemas import Schemas

# As source/build/package.py lays them out: beside the code in a package, the operator's first; in a clone.
_INSIDE = ("iso20022/operator", "iso20022/xsd", ".build/iso20022/xsd")


def installed(operator_folder: Path | None = None) -> Schemas:
    """The schemas of this package or clone.

    Args:
        operator_folder: files such as ``pacs.004.001.10.xsd``; one of them goes before that of the build.
    """
    parents = Path(__file__).resolve().parents
    found = (folder / inside for inside in _INSIDE for folder in parents if (folder / inside).is_dir())
    return of_folders([*([operator_folder] if operator_folder else []), *found])


def of_folders(folders: Sequence[Path]) -> Schemas:
    """The schemas in these folders alone; the first that has a message's file is taken."""

    def load(message_type: MessageType) -> bytes | None:
        files = (folder / f"{message_type}.xsd" for folder in folders)
        present = next((path for path in files if path.is_file()), None)
        return None if present is None else present.read_bytes()

    return Schemas(load)
