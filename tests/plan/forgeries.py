"""Archives taken apart, changed and sealed again, and how they are refused."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphnn_compiler.archive import load
from graphnn_compiler.diagnostics import Problem
from graphnn_compiler.topology.npy import npy_header


def refusal(tmp_path: Path, data: bytes, **options: Any) -> Problem:
    path = tmp_path / "bad.gnnz"
    path.write_bytes(data)
    with pytest.raises(Problem) as caught:
        load(path, **options)
    assert "bad.gnnz` cannot be loaded: " in caught.value.message
    return caught.value


class Forgery:
    """An archive taken apart, to be changed and sealed again with right digests."""

    def __init__(self, data: bytes) -> None:
        with zipfile.ZipFile(io.BytesIO(data)) as container:
            self.members = {name: container.read(name) for name in container.namelist()}
        self.manifest: Any = json.loads(self.members["manifest.json"])

    def array(self, number: int, array: np.ndarray) -> None:
        header = npy_header(array.dtype, array.shape)
        self.raw(number, header + array.tobytes(), dtype=array.dtype.str, shape=list(array.shape))

    def raw(self, number: int, data: bytes, **declared: object) -> None:
        self.members[f"{number}.npy"] = data
        self.manifest["arrays"][number] |= {"sha256": hashlib.sha256(data).hexdigest(), **declared}

    def sealed(self, compression: int = zipfile.ZIP_STORED) -> bytes:
        return self.sealed_text(json.dumps(self.manifest), compression)

    def sealed_text(self, text: str, compression: int = zipfile.ZIP_STORED) -> bytes:
        members = self.members | {"manifest.json": text.encode("ascii")}
        members["manifest.sha256"] = hashlib.sha256(members["manifest.json"]).hexdigest().encode()
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w", compression) as container:
            for name, data in members.items():
                container.writestr(name, data)
        return stream.getvalue()
