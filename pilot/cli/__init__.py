"""The `pilot` command: `pilot [--json] [--as EMAIL] COMMAND`; one file in commands/ for each."""

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from types import ModuleType

from pilot import garbage
from pilot.cli.terminal import complain, show
from pilot.errors import (
    ConfigError,
    ConflictError,
    GoneError,
    InvalidError,
    NotFoundError,
    PilotError,
)

DONE, FAILED, USAGE, NOT_FOUND, CONFLICT, INVALID, NOT_COMPLETED = range(7)
COMMANDS = Path(__file__).parent / "commands"


def names() -> list[str]:
    """Return the commands, by the names of their files."""
    return sorted(path.stem for path in COMMANDS.glob("*.py") if path.stem != "__init__")


def load(name: str) -> ModuleType:
    """Return the module of a command: its docstring is the help, `arguments(parser)` its options.

    `arguments` sets defaults of the parser: `run`, a function of the parsed arguments that returns
    an exit code or None, and `needs`, the level that --as has to have (else an administrator's).
    """
    with garbage.unsought():
        return import_module(f"pilot.cli.commands.{name.replace('-', '_')}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    0 done, 1 failed, 2 usage, 3 not found, 4 conflict, 5 invalid, 6 not completed.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    args = _parser(given).parse_args(given)
    try:
        if args.acting_as is not None:
            _admit(args)
        return int(args.run(args) or DONE)
    except PilotError as error:
        return _report(error, as_json=args.json)
    except UnicodeEncodeError as error:  # an argument that is none, or one for the terminal
        told = f"{str(error.object)[:60]!a} is no text in {error.encoding}."
        return _report(ConfigError(told), as_json=args.json)
    except (KeyboardInterrupt, BrokenPipeError):  # who read the output went away: `| head`
        return FAILED
    except OSError as error:
        told = f"{error.filename or 'The output'} cannot be used: {error.strerror}."
        return _report(ConfigError(told), as_json=args.json)


def _admit(args: argparse.Namespace) -> None:
    """Ask for the level that the action declares as `needs`; what declares none is the shell's."""
    with garbage.unsought():
        acting = import_module("pilot.cli.acting")
    acting.admit(args, getattr(args, "needs", "admin"))


def _parser(given: list[str]) -> argparse.ArgumentParser:
    """Build the parser; only the wanted command's module is imported, all of them for help."""
    parser = argparse.ArgumentParser(prog="pilot", description="Run and use Pilot.")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--as", dest="acting_as", metavar="EMAIL", help="act as this person")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    wanted = [name for name in names() if name.replace("_", "-") in given]
    for name in wanted or names():
        module = load(name)
        text = (module.__doc__ or "").strip()
        line = text.partition("\n")[0]
        module.arguments(commands.add_parser(name.replace("_", "-"), help=line, description=text))
    return parser


def _report(error: PilotError, *, as_json: bool) -> int:
    if as_json:
        body: dict[str, object] = {"code": error.code, "message": error.message}
        if isinstance(error, InvalidError):
            body["issues"] = [vars(issue) for issue in error.issues]
        show(body, stream=sys.stderr)
    elif isinstance(error, InvalidError) and error.issues:
        for issue in error.issues:
            complain(f"{issue.path or '/'}: {issue.message}")
    else:
        complain(error.message)
    return _code(error)


def _code(error: PilotError) -> int:
    if isinstance(error, NotFoundError):
        return NOT_FOUND
    if isinstance(error, ConflictError | GoneError):
        return CONFLICT
    return INVALID if isinstance(error, InvalidError) else FAILED
