"""A file system that is nowhere but in memory: the layers of an image put on each other (OCI image-spec: layer.md). The
content of its files stays where it lies in the layers.

Paths are resolved by `capture.probe.root.Root`, as those of every root: no name and no link leads out of it.
"""

import errno
import hashlib
import os
import stat

from driftscan.capture.image.headers import Member, TarError, members, named
from driftscan.capture.probe.root import Root
from driftscan.capture.probe.walk import joined_pairs
from driftscan.model.lines import Buffer

MAX_ENTRIES = 2_000_000
"""Names that an image may have in all its layers: each takes some 400 bytes of memory."""
MAX_NAME, MAX_PATH = 255, 4095
"""Bytes, as in Linux."""
REMEMBERED = 50_000
"""Directories that are found by their path at once."""
WHITEOUT = b".wh."
OPAQUE = b".wh..wh..opq"
_OF_AUFS = b".wh..wh."
_MODES = {
    "f": stat.S_IFREG,
    "d": stat.S_IFDIR,
    "l": stat.S_IFLNK,
    "c": stat.S_IFCHR,
    "b": stat.S_IFBLK,
    "p": stat.S_IFIFO,
}


class Node:
    """A file of any type, whatever names it has (an inode)."""

    __slots__ = ("attributes", "children", "data", "device", "gid", "inode", "kind", "mode", "mtime", "names", "size",
                 "start", "target", "uid")  # fmt: skip

    def __init__(self, kind: str, mode: int, inode: int) -> None:
        """Of root's, without content."""
        self.kind = kind
        self.mode = mode
        self.uid = self.gid = 0
        self.mtime = 0
        self.size = self.start = 0
        self.inode = inode
        self.device = (0, 0)
        self.target = b""
        self.attributes: dict[bytes, bytes] | None = None
        self.data: Buffer | None = None
        self.names = 1
        self.children: dict[bytes, Node] | None = {} if kind == "d" else None

    def describe(self, member: Member) -> None:
        """Take over what a member of an archive says of its owner, mode, times and extended attributes."""
        self.mode, self.uid, self.gid, self.mtime = member.mode, member.uid, member.gid, member.mtime
        if member.attributes or self.kind == "d":
            self.attributes = member.attributes or None

    def status(self) -> os.stat_result:
        """As lstat(2) has it."""
        mode = _MODES[self.kind] | (0o777 if self.kind == "l" else self.mode)
        size = len(self.target) if self.kind == "l" else self.size
        seconds = self.mtime // 1_000_000_000
        basic = (mode, self.inode, 0, self.names, self.uid, self.gid, size, seconds, seconds, seconds)
        device = os.makedev(*self.device) if self.kind in "bc" else 0
        return os.stat_result(basic, {"st_mtime_ns": self.mtime, "st_ctime_ns": self.mtime, "st_rdev": device})

    def extended(self) -> bytes:
        """Extended attributes as the walk's records have them; of links none are told."""
        if not self.attributes or self.kind == "l":
            return b""
        return joined_pairs(sorted(self.attributes.items()))

    def read(self, start: int, stop: int) -> bytes:
        """A part of the content."""
        return self.data.read(self.start + start, self.start + stop) if self.data is not None else b""


class Tree(Root):
    """The tree, as a root for the probe."""

    def __init__(self) -> None:
        """An empty root directory."""
        super().__init__(b"/image")
        self.root = b""
        self.top = Node("d", 0o755, 1)
        self.entries = 0
        self._known: dict[bytes, Node] = {}
        self._ways: dict[bytes, Node] = {}
        self._made: dict[Node, set[bytes]] = {}
        self._name = b""

    def add(self, archive: Buffer, digest: str) -> None:
        """Put a layer on top, of which it is known that it has this digest. TarError where it is damaged, or means
        different trees to different programs."""
        self._name = hashlib.sha256(digest.encode()).digest()
        for member in members(archive, sealed=True):
            self.entries += 1
            if self.entries > MAX_ENTRIES:
                raise TarError(f"more than {MAX_ENTRIES:,} names in all")
            self._take(archive, member)
        self._ways, self._made = {}, {}

    def finish(self) -> None:
        """When all layers are on: count the names of each file."""
        stack, seen = [self.top], set()
        while stack:
            node = stack.pop()
            for child in (node.children or {}).values():
                if child.children is not None:
                    stack.append(child)
                elif id(child) in seen:
                    child.names += 1
                else:
                    seen.add(id(child))
                    child.names = 1

    def find(self, where: bytes) -> Node:
        """The file at a real path. FileNotFoundError or NotADirectoryError."""
        head, _, name = where.rstrip(b"/").rpartition(b"/")
        if not name:
            return self.top
        folder = self._known.get(head)
        if folder is None:
            folder = self.top
            for part in head.split(b"/")[1:]:
                folder = _child(folder, part)
            if len(self._known) > REMEMBERED:
                self._known.clear()
            self._known[head] = folder
        return _child(folder, name)

    def lstat(self, where: bytes) -> os.stat_result:
        """See Root."""
        return self.find(where).status()

    def readlink(self, where: bytes) -> bytes:
        """See Root."""
        node = self.find(where)
        if node.kind != "l":
            raise OSError(errno.EINVAL, "not a link")
        return node.target

    def listed(self, where: bytes) -> list[bytes]:
        """See Root."""
        node = self.find(where)
        if node.children is None:
            raise NotADirectoryError(errno.ENOTDIR, "not a directory")
        return list(node.children)

    def content(self, where: bytes, limit: int) -> tuple[bytes, bool, os.stat_result]:
        """See Root."""
        node = self.find(where)
        if node.kind == "l":
            raise OSError(errno.ELOOP, "too many links")
        if node.kind != "f":
            raise IsADirectoryError(errno.EISDIR, "not a regular file")
        return node.read(0, min(node.size, limit)), node.size <= limit, node.status()

    def _take(self, archive: Buffer, member: Member) -> None:
        parts = _parts(member.name)
        if not parts:
            if member.kind != "d":
                raise TarError("its root is no directory")
            self.top.describe(member)
            return
        if parts[0].startswith(_OF_AUFS) and parts[0] != OPAQUE:
            return  # of aufs itself, and of no account elsewhere
        if any(part.startswith(WHITEOUT) for part in parts[:-1]):
            raise TarError(f"{named(member.name)}: lies below a whiteout")
        if parts[-1].startswith(WHITEOUT):
            self._white_out(parts, member)
            return
        folder = self._folder(parts[:-1], member)
        self._place(folder, parts[-1], self._made_of(archive, member, folder, parts[-1]))

    def _made_of(self, archive: Buffer, member: Member, folder: Node, name: bytes) -> Node:
        """The file that a member stands for: one that is there, for a directory that is there and for a hard link."""
        children = folder.children
        assert children is not None
        there = children.get(name)
        if member.kind == "h":
            node = self._linked(member)
        elif member.kind == "d" and there is not None and there.kind == "d":
            node = there
        else:
            node = Node(member.kind, member.mode, self._number(member.start))
            node.target, node.device = member.link, member.device
        node.describe(member)
        if member.kind == "f":
            node.size, node.start, node.data = member.size, member.start, archive
        if member.kind == "l" and not member.link:
            raise TarError(f"{named(member.name)}: a link that leads nowhere")
        return node

    def _number(self, start: int) -> int:
        """An inode's number: of the layer and the place in it, so that other content has another one."""
        raw = hashlib.blake2b(b"%d" % start, key=self._name, digest_size=8).digest()
        return int.from_bytes(raw, "big") >> 1 | 2

    def _linked(self, member: Member) -> Node:
        """What a hard link is another name of."""
        parts = _parts(member.link)
        try:
            where = self.resolve(b"/" + b"/".join(parts[:-1])).rstrip(b"/") + b"/" + parts[-1] if parts else b"/"
            node = self.find(where)
        except OSError as error:
            raise TarError(f"{named(member.name)}: a hard link to {named(member.link)}, which is not there") from error
        if node.kind == "d":
            raise TarError(f"{named(member.name)}: a hard link to a directory")
        return node

    def _place(self, folder: Node, name: bytes, node: Node) -> None:
        children = folder.children
        assert children is not None
        there = children.get(name)
        if there is not node:
            if there is not None and there.kind in "dl":
                self._forget()  # paths through it lead elsewhere now
            children[name] = node
        self._made.setdefault(folder, set()).add(name)

    def _forget(self) -> None:
        self._known.clear()
        self._ways.clear()

    def _folder(self, parts: list[bytes], member: Member) -> Node:
        """The directory that a member lies in, made where it is missing; links on the way are followed in the root."""
        path = b"/" + b"/".join(parts)
        if path in self._ways:
            return self._ways[path]
        try:
            real = self.resolve(path)
        except OSError as error:
            raise TarError(f"{named(member.name)}: the links on the way to it have no end") from error
        node = self.top
        for part in _parts(real):
            children = node.children
            assert children is not None
            child = children.get(part)
            if child is None:
                child = Node("d", 0o755, self._number(-member.start))
                children[part] = child
            if child.kind != "d":
                raise TarError(f"{named(member.name)}: lies below what is no directory")
            self._made.setdefault(node, set()).add(part)
            node = child
        if len(self._ways) > REMEMBERED:
            self._ways.clear()
        self._ways[path] = node
        return node

    def _white_out(self, parts: list[bytes], member: Member) -> None:
        """Take away what lower layers have: one name, or all in a directory."""
        try:
            folder = self.find(self.resolve(b"/" + b"/".join(parts[:-1])))
        except OSError:
            return
        if folder.children is None:
            raise TarError(f"{named(member.name)}: a whiteout in what is no directory")
        self._forget()
        if parts[-1] == OPAQUE:
            self._clear(folder)
            return
        name = parts[-1][len(WHITEOUT) :]
        if name in (b"", b".", b".."):
            raise TarError(f"{named(member.name)}: a whiteout of nothing")
        if name in self._made.get(folder, ()):
            raise TarError(f"{named(member.name)}: removes what the same layer adds before")
        folder.children.pop(name, None)

    def _clear(self, folder: Node) -> None:
        """Take away what lower layers have in a directory, however deep."""
        stack = [folder]
        while stack:
            node = stack.pop()
            assert node.children is not None
            made = self._made.get(node, set())
            for name, child in list(node.children.items()):
                if name not in made:
                    del node.children[name]
                elif child.kind == "d":
                    stack.append(child)


def _child(folder: Node, name: bytes) -> Node:
    if folder.children is None:
        raise NotADirectoryError(errno.ENOTDIR, "not a directory")
    try:
        return folder.children[name]
    except KeyError:
        raise FileNotFoundError(errno.ENOENT, "no such file") from None


def _parts(name: bytes) -> list[bytes]:
    """The components of a name, which is taken from the root however it begins. TarError for what may mean another
    place to another program, and for what no file system can hold."""
    parts = [part for part in name.split(b"/") if part not in (b"", b".")]
    if b".." in parts:
        raise TarError(f"{named(name)}: a name with ..")
    if len(name) > MAX_PATH or any(len(part) > MAX_NAME for part in parts):
        raise TarError(f"{named(name)}: a longer name than a file can have")
    return parts
