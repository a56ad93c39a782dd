"""The audit trail: verify its chains, here or offline, and export it."""

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TextIO

from pilot import audit, db
from pilot.cli import acting
from pilot.cli.terminal import answer, complain
from pilot.config import Config
from pilot.engine.upkeep import anchors
from pilot.errors import NotFoundError

FAILED = 1


def arguments(parser: ArgumentParser) -> None:
    """Declare the options."""
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    verify = actions.add_parser("verify", help="check every record; 1 if one was tampered with")
    verify.add_argument(
        "--bundle",
        metavar="FILE",
        help="check an exported trail instead; - reads stdin",
    )
    verify.add_argument(
        "--anchors",
        metavar="FILE",
        help="compare with audit_anchors.jsonl of the data folder, copied before the export",
    )
    verify.add_argument(
        "--key",
        help="the public key that signed the anchors; else this installation's, if it has one",
    )
    verify.set_defaults(run=_verify)
    export = actions.add_parser("export", help="write the whole trail as JSON lines")
    export.add_argument("file", help="where to; - writes to standard output")
    export.set_defaults(run=_export)


def _verify(args: Namespace) -> int:
    anchored = _anchored(args) if args.anchors else None
    marks = anchored.marks if anchored else audit.NO_MARKS
    if args.bundle is None:
        acting.connect()
        with db.reading(None, sees_all=True) as session:
            count, faults = audit.verify(session, marks=marks)
    elif args.bundle == "-":
        count, faults = audit.verify_bundle(_full(sys.stdin), marks)
    else:
        with _opened(args.bundle) as file:
            count, faults = audit.verify_bundle(_full(file), marks)
    facts: dict[str, Any] = {"records": count}
    told = f"The chains are whole: {count:,} records."
    if anchored:
        faults = anchored.faults + faults
        facts |= {"anchors": anchored.count, "key": anchored.key}
        told += f" They agree with {anchored.count:,} anchors of the key {anchored.key}."
    facts["faults"] = [vars(fault) for fault in faults]
    if args.json or not faults:
        answer(args, facts, told)
    for fault in faults:
        complain(f"Chain {fault.chain}, record {fault.seq}: {fault.reason}.")
    return FAILED if faults else 0


def _anchored(args: Namespace) -> anchors.Checked:
    """Check the anchors, by the key that was named, else this installation's, else their own."""
    own = None if args.key else anchors.own_key(Config.from_env().data)
    with _opened(args.anchors) as file:
        return anchors.check(
            _full(file), args.key or (anchors.public_text(own.public_key()) if own else None)
        )


def _full(lines: Iterable[str]) -> Iterable[str]:
    return (line for line in lines if line.strip())


def _opened(name: str) -> TextIO:
    try:
        return Path(name).open(encoding="utf-8", newline="\n")
    except OSError as error:
        raise NotFoundError(f"{name} cannot be read: {error.strerror}.") from error


def _export(args: Namespace) -> None:
    acting.connect()
    with db.reading(None, sees_all=True) as session:
        lines = (f"{line}\n" for line in audit.bundle(session))
        if args.file == "-":
            sys.stdout.writelines(lines)
            return
        with Path(args.file).open("w", encoding="utf-8", newline="\n") as file:
            count = sum(1 for line in lines if file.write(line))
    answer(args, {"file": args.file, "records": count}, f"{count:,} records are in {args.file}.")
