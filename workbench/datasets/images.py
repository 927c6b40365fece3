"""Finding picture files by the names that annotation files give them."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

from workbench.errors import BadInput, MissingInput

_DRIVE = re.compile(r"^[A-Za-z]:")
SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"})


class ImageFolder:
    """Finds pictures below one folder.

    Archives of the real data sets unpack with and without the prefixes that their annotation
    files use, sometimes with an inner folder. A name is tried as it is, then without its folder,
    and at last looked up by its last part in all inner folders.

    Args:
        root: Folder of the pictures.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._by_name: dict[str, list[Path]] | None = None

    def find(self, name: str, where: Path, field: str) -> Path:
        """Return the existing file of a name.

        Args:
            name: Name from the annotation file.
            where: That file, for errors.
            field: Where in it the name stands, for errors.

        Raises:
            BadInput: The name leads out of the folder, or fits several files.
            MissingInput: No such file.
        """
        self._refuse_escape(name, where, field)
        direct = self.root / name
        if direct.is_file():
            return direct
        parts = PurePosixPath(name).parts
        prefixed = len(parts) > 1 and (self.root / parts[0]).is_dir()
        # Different folders may hold equal names: where the prefix exists, it decides.
        if not prefixed and (self.root / parts[-1]).is_file():
            return self.root / parts[-1]
        found = self._index().get(parts[-1], [])
        if prefixed:
            found = [path for path in found if (self.root / parts[0]) in path.parents]
        if not found:
            raise MissingInput(direct, f"named by {field} of {where}; get the pictures")
        if len(found) > 1:
            fix = f"keep one below {self.root}"
            raise BadInput(where, field, f"{name!r} fits {len(found)} files", fix)
        return found[0]

    def exact(self, name: str, where: Path, field: str) -> Path:
        """Return the file of a name that came from listing the folder; nothing else will do.

        Raises:
            BadInput: The name leads out of the folder.
            MissingInput: No such file.
        """
        self._refuse_escape(name, where, field)
        path = self.root / name
        if not path.is_file():
            raise MissingInput(path, f"needed for {field} of {where}; get the data set whole")
        return path

    def _refuse_escape(self, name: str, where: Path, field: str) -> None:
        path = PurePosixPath(name)
        outside = path.is_absolute() or ".." in path.parts or "\\" in name or _DRIVE.match(name)
        control = any(ord(letter) < 32 for letter in name)
        if not PurePosixPath(name).parts or outside or control:
            raise BadInput(
                where, field, f"{name!r} leads out of {self.root}", "use a name below that folder"
            )

    def _index(self) -> dict[str, list[Path]]:
        if self._by_name is None:
            self._by_name = {}
            for path in sorted(self.root.rglob("*")):
                if path.suffix.lower() in SUFFIXES and "__MACOSX" not in path.parts:
                    self._by_name.setdefault(path.name, []).append(path)
        return self._by_name
