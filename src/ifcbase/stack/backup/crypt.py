"""Encryption of what a backup holds: AES-256-GCM in chained pieces, the key from a passphrase.

The key of a folder of backups comes from the passphrase and a salt by scrypt (RFC 7914), the key of
each file from that by HKDF with a salt of the file's own. Every piece carries its number and whether
it is the last, so that a file that was cut, reordered or changed is refused and not half restored
(the STREAM construction of Hoang, Reyhanitabar, Rogaway and Vizár, 2015).
"""

from __future__ import annotations

import hashlib
import hmac
import os
import struct
from collections.abc import Iterable, Iterator
from typing import IO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from ifcbase.errors import BackupDamaged

_MAGIC = b"ifcbase1"
_SALT = 16
_PIECE = 1024 * 1024
_TAG = 16
#: scrypt's cost: 64 MiB and about a fifth of a second.
_N, _R, _P = 2**16, 8, 1


class Key:
    """The key of a folder of backups."""

    def __init__(self, passphrase: str, salt: bytes) -> None:
        self._master = Scrypt(salt=salt, length=32, n=_N, r=_R, p=_P).derive(passphrase.encode())

    def seal(self, content: bytes) -> str:
        """What only the holder of the key could have computed for this content."""
        return hmac.new(self._derived(b"", b"seal"), content, hashlib.sha256).hexdigest()

    def encrypted(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """The encrypted form of a stream, its salt first."""
        salt = os.urandom(_SALT)
        cipher = AESGCM(self._derived(salt, b"file"))
        yield _MAGIC + salt
        number = 0
        held = b""
        for piece in _even(pieces):
            if held:
                yield cipher.encrypt(_nonce(number, last=False), held, _MAGIC)
                number += 1
            held = piece
        yield cipher.encrypt(_nonce(number, last=True), held, _MAGIC)

    def decrypted(self, stream: IO[bytes], name: str) -> Iterator[bytes]:
        """The plain form of an encrypted file. Raises BackupDamaged where it is not what was
        written with this key; what was given before that must not be kept."""
        if stream.read(len(_MAGIC)) != _MAGIC:
            raise BackupDamaged(f"{name} is not encrypted as its backup says")
        cipher = AESGCM(self._derived(stream.read(_SALT), b"file"))
        number = 0
        held = stream.read(_PIECE + _TAG)
        while True:
            following = stream.read(_PIECE + _TAG)
            try:
                plain = cipher.decrypt(_nonce(number, last=not following), held, _MAGIC)
            except (InvalidTag, ValueError) as error:
                raise BackupDamaged(
                    f"{name} cannot be decrypted: it was changed or cut, or the passphrase is "
                    "another"
                ) from error
            if plain:
                yield plain
            if not following:
                return
            held = following
            number += 1

    def _derived(self, salt: bytes, purpose: bytes) -> bytes:
        return HKDF(hashes.SHA256(), 32, salt or None, b"ifcbase " + purpose).derive(self._master)


def _nonce(number: int, *, last: bool) -> bytes:
    return struct.pack(">xxxxxxxIB", number, last)


def _even(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes in pieces of one size, the last one shorter."""
    waiting = bytearray()
    for piece in pieces:
        waiting += piece
        while len(waiting) >= _PIECE:
            yield bytes(waiting[:_PIECE])
            del waiting[:_PIECE]
    if waiting:
        yield bytes(waiting)
