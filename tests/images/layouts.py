"""OCI image layouts for tests, written with the standard library alone: of any members, or of a tree as it is."""

import gzip
import hashlib
import io
import json
import os
import stat
import tarfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from driftscan.compressed import ZstdFile

LAYER = "application/vnd.oci.image.layer.v1.tar"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
Written = tuple[dict[str, Any], str]
"""A layer's descriptor, and the digest of its tar."""
REF = "org.opencontainers.image.ref.name"


def member(name: str, kind: bytes = tarfile.REGTYPE, data: bytes = b"", **more: Any) -> tuple[tarfile.TarInfo, bytes]:
    """One member; `more` are attributes of TarInfo. Regular files are 0644, directories 0755."""
    found = tarfile.TarInfo(name)
    found.type, found.size = kind, len(data)
    found.mode = 0o755 if kind == tarfile.DIRTYPE else 0o644
    for key, value in more.items():
        setattr(found, key, value)
    return found, data


def tar(members: Iterable[tuple[tarfile.TarInfo, bytes]]) -> bytes:
    """A layer's tar."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT, encoding="utf-8") as archive:
        for info, data in members:
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def tree(root: Path) -> list[tuple[tarfile.TarInfo, bytes]]:
    """A directory as members: owners, modes, times to the nanosecond, extended attributes, devices, hard links."""
    found: list[tuple[tarfile.TarInfo, bytes]] = []
    first: dict[tuple[int, int], str] = {}
    for folder, folders, files in os.walk(root):
        names = ["."] if folder == str(root) else []
        for name in sorted(names + folders + files):
            path = os.path.normpath(os.path.join(folder, name))
            found.append(_of(path, os.path.relpath(path, root), first))
    return found


def _of(path: str, name: str, first: dict[tuple[int, int], str]) -> tuple[tarfile.TarInfo, bytes]:
    status = os.lstat(path)
    info, data = tarfile.TarInfo(name), b""
    info.mode, info.uid, info.gid = stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid
    seconds, rest = divmod(status.st_mtime_ns, 1_000_000_000)
    info.mtime = seconds
    info.pax_headers = {"mtime": f"{seconds}.{rest:09d}"}
    place = status.st_dev, status.st_ino
    if stat.S_ISREG(status.st_mode):
        if place in first:
            info.type, info.linkname = tarfile.LNKTYPE, first[place]
        else:
            data = Path(path).read_bytes()
            info.size = len(data)
            first[place] = name
    elif stat.S_ISLNK(status.st_mode):
        info.type, info.linkname = tarfile.SYMTYPE, os.readlink(path)
    elif stat.S_ISFIFO(status.st_mode):
        info.type = tarfile.FIFOTYPE
    elif stat.S_ISDIR(status.st_mode):
        info.type = tarfile.DIRTYPE
    else:
        info.type = tarfile.CHRTYPE if stat.S_ISCHR(status.st_mode) else tarfile.BLKTYPE
        info.devmajor, info.devminor = os.major(status.st_rdev), os.minor(status.st_rdev)
    if info.type != tarfile.SYMTYPE:
        for key in os.listxattr(path, follow_symlinks=False):
            value = os.getxattr(path, key, follow_symlinks=False)
            info.pax_headers[f"SCHILY.xattr.{key}"] = value.decode("utf-8", "surrogateescape")
    return info, data


class Layout:
    """A layout that is being written."""

    def __init__(self, path: Path) -> None:
        self.path = path
        (path / "blobs/sha256").mkdir(parents=True)
        (path / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
        self.manifests: list[dict[str, Any]] = []

    def blob(self, data: bytes, media_type: str) -> dict[str, Any]:
        """The descriptor of a blob, which is written."""
        digest = hashlib.sha256(data).hexdigest()
        (self.path / "blobs/sha256" / digest).write_bytes(data)
        return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(data)}

    def layer(self, data: bytes, compression: str = "gzip") -> Written:
        """A layer that is written."""
        media_type = LAYER + (f"+{compression}" if compression else "")
        return self.blob(pressed(data, compression), media_type), f"sha256:{hashlib.sha256(data).hexdigest()}"

    def image(self, tars: Sequence[bytes], compression: str = "gzip") -> dict[str, Any]:
        """The descriptor of an image of layers."""
        return self.image_of([self.layer(data, compression) for data in tars])

    def image_of(self, written: Sequence[Written]) -> dict[str, Any]:
        """The same of layers that are written."""
        layers, diff_ids = [each[0] for each in written], [each[1] for each in written]
        config = {"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": diff_ids}}
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": self.blob(json.dumps(config).encode(), CONFIG),
            "layers": layers,
        }
        return self.blob(json.dumps(manifest).encode(), MANIFEST)

    def index(self, *members: Mapping[str, Any]) -> dict[str, Any]:
        """The descriptor of an index of images."""
        return self.blob(json.dumps({"schemaVersion": 2, "manifests": list(members)}).encode(), INDEX)

    def add(self, descriptor: Mapping[str, Any], tag: str = "") -> None:
        """Name an image in the layout's own index, which is written."""
        notes = {"annotations": {REF: tag}} if tag else {}
        self.manifests.append({**descriptor, **notes})
        (self.path / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": self.manifests}))


def pressed(data: bytes, compression: str) -> bytes:
    """Compressed as `gzip` or `zstd`, or as it is."""
    if compression == "gzip":
        return gzip.compress(data, 1, mtime=0)
    if compression == "zstd":
        out = io.BytesIO()
        with ZstdFile(out, "w") as file:
            file.write(data)
        return out.getvalue()
    return data


def of_tree(path: Path, root: Path, tag: str = "latest", compression: str = "gzip") -> Path:
    """The layout of an image of one layer: a directory as it is."""
    return of_layers(path, [tree(root)], tag, compression)


def of_layers(
    path: Path,
    layers: Sequence[Iterable[tuple[tarfile.TarInfo, bytes]]],
    tag: str = "latest",
    compression: str = "gzip",
) -> Path:
    """The layout of an image of such layers."""
    layout = Layout(path)
    layout.add(layout.image([tar(members) for members in layers], compression), tag)
    return path
