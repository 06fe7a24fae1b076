"""The files that a program imports, directly and through each other, each read and parsed once.

Input: a parsed program. Output: the imported programs, or what is wrong with the text of one or with an `import`.
Not for: what the imported names mean.
"""

from __future__ import annotations

import hashlib
import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from graphnn_compiler.diagnostics import Diagnostic, Related
from graphnn_compiler.language.nodes import ImportAs, ImportNames, Program
from graphnn_compiler.language.parser import decoded, parse
from graphnn_compiler.source import Source, Span

MOST_FILES = 1000
_LONGEST_CHAIN = 100


@dataclass(frozen=True)
class ImportedFile:
    """An imported program; `shown` is its path from the folder of the program that all began with."""

    program: Program
    shown: str
    sha256: str


@dataclass(frozen=True)
class Imports:
    """Every imported file, by where it is."""

    files: Mapping[Path, ImportedFile] = field(default_factory=dict)

    def file(self, source: Source, path: str) -> ImportedFile:
        """The file that the program of a source imports as `path`."""
        return self.files[_place(source, path)]

    @property
    def digests(self) -> dict[str, str]:
        """SHA-256 of the bytes of every file, by shown path."""
        return {file.shown: file.sha256 for file in self.files.values()}


def load_imports(program: Program) -> tuple[Imports, list[Diagnostic]]:
    """Read every file that a program needs; files that cannot be read or parsed are left out beside a diagnostic."""
    loader = _Loader()
    loader.follow(program, "", {})
    return Imports(loader.files), loader.problems


def _place(source: Source, path: str) -> Path:
    return Path(posixpath.normpath(Path(source.folder, path).absolute().as_posix()))


class _Loader:
    def __init__(self) -> None:
        self.files: dict[Path, ImportedFile] = {}
        self.problems: list[Diagnostic] = []
        self._seen: set[Path] = set()

    def follow(self, program: Program, folder: str, chain: Mapping[Path, Span]) -> None:
        """Load what a program imports; `chain` holds the files that led here, and where each imports the next."""
        source = program.source
        own = _place(source, PurePath(source.name).name)
        for statement in program.statements:
            if not isinstance(statement, ImportAs | ImportNames):
                continue
            place = _place(source, statement.path)
            if place == own or place in chain:
                self._circle(place, {**chain, own: statement.span})
            elif place not in self._seen:
                self._load(place, statement, folder, {**chain, own: statement.span})

    def _load(self, place: Path, statement: ImportAs | ImportNames, folder: str, chain: Mapping[Path, Span]) -> None:
        self._seen.add(place)
        importer = statement.span.source
        shown = posixpath.normpath(posixpath.join(folder, PurePath(statement.path).as_posix()))
        if len(self._seen) > MOST_FILES or len(chain) > _LONGEST_CHAIN:
            too_many = f"a program imports at most {MOST_FILES:,} files, and {_LONGEST_CHAIN} one by another"
            self._refuse(statement, too_many, "join some of them")
            return
        try:
            content = place.read_bytes()
        except (OSError, ValueError) as error:
            reason = (error.strerror if isinstance(error, OSError) else None) or type(error).__name__
            self._refuse(statement, reason.lower(), "the path is relative to the folder of the file that imports it")
            return
        name = str(PurePath(importer.name).parent / statement.path)
        source, problems = decoded(name, content, place.parent)
        self.problems += problems
        if source is None:
            return
        program, problems = parse(source)
        self.problems += problems
        if program is not None:
            self.files[place] = ImportedFile(program, shown, hashlib.sha256(content).hexdigest())
            self.follow(program, posixpath.dirname(shown), chain)

    def _refuse(self, statement: ImportAs | ImportNames, reason: str, help: str) -> None:
        message = f"`{statement.path}` cannot be imported: {reason}"
        self.problems.append(Diagnostic("E153", message, statement.span, help))

    def _circle(self, place: Path, chain: Mapping[Path, Span]) -> None:
        """Report an import of a file that is being imported."""
        links = list(chain.items())
        start = next(i for i, (file, _) in enumerate(links) if file == place)
        *before, last = [span for _, span in links[start:]]
        names = [PurePath(span.source.name).name for span in (*before, last)]
        path = " -> ".join([*names, names[0]])
        message = f"the imports go in a circle: {path}" if before else "this file imports itself"
        related = tuple(Related(span, "imported here") for span in before)
        help = "move what both need into a file of its own"
        self.problems.append(Diagnostic("E154", message, last, help if before else None, related=related))
