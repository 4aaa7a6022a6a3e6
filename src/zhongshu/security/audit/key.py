"""The installation's seal key and the head file, kept outside the database."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from django.conf import settings

__all__ = ["Head", "SealKeyMissing", "find_public_key", "get_key", "has_signature", "load_head", "save_head", "sign"]


class SealKeyMissing(RuntimeError):
    """The key that made the earlier seals is gone; a new one would let anybody begin the trail anew."""


@dataclass(frozen=True)
class Head:
    """The last seal as this machine remembers it."""

    number: int
    last: int
    entries_hash: str
    hash: str


GENESIS = Head(0, 0, "0" * 64, "0" * 64)


def get_folder() -> Path:
    """Return the folder of key and head; it belongs in the backup, in another place than the database."""
    folder: Path = settings.HOUSE.path("audit")
    return folder


def get_key() -> Ed25519PrivateKey:
    """Return the seal key, made at first use with mode 0600. Raises `SealKeyMissing` when the public half is there and the key is not."""
    folder = get_folder()
    private, public = folder / "seal.key", folder / "seal.pub"
    if not private.exists():
        if public.exists():
            raise SealKeyMissing(f"{private} is missing, but {public.name} says that it existed; bring it back from the backup")
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        made = Ed25519PrivateKey.generate()
        _write(private, made.private_bytes_raw().hex())
        _write(public, made.public_key().public_bytes_raw().hex())
    key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(private.read_text(encoding="ascii").strip()))
    if not public.exists():
        _write(public, key.public_key().public_bytes_raw().hex())
    return key


def find_public_key() -> Ed25519PublicKey | None:
    """Return the half that checks signatures, or None before the first seal."""
    public = get_folder() / "seal.pub"
    return Ed25519PublicKey.from_public_bytes(bytes.fromhex(public.read_text(encoding="ascii").strip())) if public.exists() else None


def sign(text: str) -> str:
    """Return the signature (Ed25519, RFC 8032) of a text, in hexadecimal."""
    return get_key().sign(text.encode()).hex()


def has_signature(key: Ed25519PublicKey, text: str, signature: str) -> bool:
    """Tell whether the signature belongs to the text."""
    try:
        key.verify(bytes.fromhex(signature), text.encode())
    except (InvalidSignature, ValueError):
        return False
    return True


def load_head() -> Head:
    """Return the remembered last seal; the beginning when there is none."""
    file = get_folder() / "head.json"
    return Head(**json.loads(file.read_text(encoding="ascii"))) if file.exists() else GENESIS


def save_head(head: Head) -> None:
    """Remember the last seal, durably."""
    _write(get_folder() / "head.json", json.dumps(asdict(head)))


def _write(file: Path, text: str) -> None:
    part = file.with_suffix(file.suffix + ".part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
    part.replace(file)
    handle = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
