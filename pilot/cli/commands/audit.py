"""The audit trail: verify its chains, here or offline, and export it.

The last line of an export counts its chains and records: one that was cut anywhere is found. An
export of an older Pilot has no such line: nobody can tell whether it is complete, and verify exits
1. Export it again.
"""

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any, BinaryIO

from pilot import audit, audit_bundle, db, strictjson
from pilot.cli import acting
from pilot.cli.terminal import answer, complain, say_all
from pilot.config import Config
from pilot.engine.upkeep import anchors
from pilot.errors import ConfigError, NotFoundError

FAILED = 1


def arguments(parser: ArgumentParser) -> None:
    """Declare the options."""
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    verify = actions.add_parser("verify", help="check every record; 1 if one was tampered with")
    verify.add_argument(
        "--bundle",
        metavar="FILE",
        help="check an exported trail instead, which must have its end; - reads stdin",
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
        count, faults = audit_bundle.verify_bundle(audit_bundle.lines_of(sys.stdin.buffer), marks)
    else:
        with _opened(args.bundle) as file:
            count, faults = audit_bundle.verify_bundle(audit_bundle.lines_of(file), marks)
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
            audit_bundle.lines_of(file),
            args.key or (anchors.public_text(own) if own else None),
        )


def _opened(name: str) -> BinaryIO:
    try:
        return Path(name).open("rb")
    except OSError as error:
        raise NotFoundError(f"{name} cannot be read: {error.strerror}.") from error


def _export(args: Namespace) -> None:
    acting.connect()
    with db.reading(None, sees_all=True) as session:
        lines = audit_bundle.bundle(session)
        if args.file == "-":
            say_all(lines)
            return
        try:
            with Path(args.file).open("w", encoding="utf-8", newline="\n") as file:
                for line in lines:
                    file.write(f"{line}\n")
        except OSError as error:
            raise ConfigError(f"{args.file} cannot be written: {error.strerror}.") from error
    count = strictjson.loads(line)["records"]  # the last line is the end, which counts them
    answer(args, {"file": args.file, "records": count}, f"{count:,} records are in {args.file}.")
