"""Large bodies of JSON; made when they are sent, not by every process that collects tests."""


def many_keys() -> bytes:
    """Return an object of a million keys."""
    return ("{" + ",".join(f'"{n}":1' for n in range(1_000_000)) + "}").encode()


def many_zeros() -> bytes:
    """Return a list of ten million numbers."""
    return b"[" + b"0," * 10_000_000 + b"0]"
