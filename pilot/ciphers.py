"""What Pilot encrypts and signs with: Fernet for texts, Ed25519 for anchors.

Both are `cryptography`'s. It is loaded with the first key that is used: that takes 6 MB, and a
worker or web server that opens no secret does without.
"""

from collections.abc import Sequence

SIGNING_KEY_BYTES = 32


class NotOpenedError(Exception):
    """None of the keys sealed this, or it was changed."""


def new_key() -> str:
    """Return a fresh key that seals."""
    from cryptography.fernet import Fernet  # noqa: PLC0415

    return Fernet.generate_key().decode()


def seal(text: str, key: str) -> str:
    """Return a text encrypted with a key, as printable ASCII."""
    from cryptography.fernet import Fernet  # noqa: PLC0415

    return Fernet(key).encrypt(text.encode()).decode()


def open_sealed(sealed: str, keys: Sequence[str]) -> str:
    """Return the text that one of the keys sealed.

    Raises:
        NotOpenedError: none of them did, or it was changed.
    """
    from cryptography.fernet import Fernet, InvalidToken, MultiFernet  # noqa: PLC0415

    try:
        return MultiFernet([Fernet(key) for key in keys]).decrypt(sealed.encode()).decode()
    except (InvalidToken, UnicodeEncodeError) as error:
        raise NotOpenedError from error


def new_signing_key() -> bytes:
    """Return a fresh private key, of 32 bytes."""
    from cryptography.hazmat.primitives.asymmetric import ed25519  # noqa: PLC0415

    return ed25519.Ed25519PrivateKey.generate().private_bytes_raw()


def public_key(signing_key: bytes) -> bytes:
    """Return the public key of a private one."""
    from cryptography.hazmat.primitives.asymmetric import ed25519  # noqa: PLC0415

    key = ed25519.Ed25519PrivateKey.from_private_bytes(signing_key)
    return key.public_key().public_bytes_raw()


def sign(message: bytes, signing_key: bytes) -> bytes:
    """Return the signature of a message."""
    from cryptography.hazmat.primitives.asymmetric import ed25519  # noqa: PLC0415

    return ed25519.Ed25519PrivateKey.from_private_bytes(signing_key).sign(message)


def is_signed(message: bytes, signature: bytes, public: bytes) -> bool:
    """Say whether the private key of this public one signed the message."""
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import ed25519  # noqa: PLC0415

    try:
        ed25519.Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True
