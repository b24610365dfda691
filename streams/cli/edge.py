"""Where commands end: every fault becomes one line on stderr that says what to do, and an exit code for scripts.

Owns the exit codes. Never swallows a bug: that is one line too, with the place in the program, and code 1.
"""

from __future__ import annotations

import os
import re
import sys
import traceback
from collections.abc import Sequence
from enum import IntEnum
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar

import typer
from typer.core import TyperGroup

from streams.cli.output import complain
from streams.places import Failed
from streams.settings import SettingsError


class Code(IntEnum):
    """How a command ended."""

    DONE = 0
    REFUSED = 1
    """It was not done, or a check found a fault."""
    USAGE = 2
    """Wrong arguments or settings."""
    UNREACHABLE = 3
    """Worth trying again: a server does not answer, or cannot work now."""
    DENIED = 4
    """The token is missing or wrong."""
    NOT_FOUND = 5
    LATER = 6
    """A command was kept, but nobody has handled it yet."""
    INTERRUPTED = 130
    BROKEN_PIPE = 141


CODES = (
    "Exit codes: 0 done, 1 refused or a fault was found, 2 wrong arguments or settings, 3 a server does not answer,"
    " 4 token refused, 5 not found, 6 kept but not handled yet, 130 interrupted."
)


class Fault(Exception):
    """A command cannot do what it was asked. The message is one line that says what is wrong and what to do."""

    def __init__(self, message: str, code: Code = Code.REFUSED) -> None:
        super().__init__(message)
        self.code = code


class _Listed(TyperGroup):
    """A group whose help says of every command a whole sentence; Typer cuts it at the edge of the terminal."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        named = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl([(name, one.get_short_help_str(_SENTENCE)) for name, one in named if one])


_SENTENCE = 300
"""Characters: more than any."""


class Root(_Listed):
    """The whole command line; `main` never raises anything but SystemExit for what can go wrong outside of us."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,  # noqa: FBT001, FBT002 (click's signature)
        windows_expand_args: bool = True,  # noqa: FBT001, FBT002 (click's signature)
        **extra: Any,
    ) -> Any:
        given = list(sys.argv[1:] if args is None else args)
        sys.exit(_flushed(self._run(given or ["--help"])))

    def _run(self, args: list[str]) -> int:
        try:
            with self.make_context("tocsin", args) as context:
                self.invoke(context)
        except typer.Exit as ended:
            return ended.exit_code
        except Fault as fault:
            return _failed(fault, fault.code)
        except SettingsError as fault:
            return _failed(fault, Code.USAGE)
        except Failed as fault:
            return _failed(fault, Code.REFUSED)
        except typer.TyperException as fault:
            return _failed(_usage(fault), Code.USAGE)
        except (KeyboardInterrupt, typer.Abort, EOFError):
            return _failed("interrupted", Code.INTERRUPTED)
        except OSError as error:
            return _unwritten(error)
        return Code.DONE


class Defaulting(_Listed):
    """A group whose name alone, or with options only, means its most ordinary command: `tocsin incidents --json`."""

    default: ClassVar[str] = "list"

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if not args or (args[0].startswith("-") and args[0] not in ctx.help_option_names):
            args = [self.default, *args]
        elif "show" in self.commands and args[0] not in self.commands and _INCIDENT.fullmatch(args[0]):
            raise Fault(f"say what of {args[0]}: `{ctx.command_path} show {args[0]}`, or `timeline`", Code.USAGE)
        return super().parse_args(ctx, args)


_INCIDENT = re.compile(r"INC-\d{4}-\d{4}-\d+|\d+", re.IGNORECASE)


def _failed(fault: Exception | str, code: Code) -> Code:
    for line in str(fault).splitlines():
        complain(line)
    return code


def _usage(fault: typer.TyperException) -> str:
    message = " ".join(fault.format_message().split()).rstrip(".").replace(": Value error, ", ": ")
    context = getattr(fault, "ctx", None)
    return f"{message}; see `{context.command_path if context else 'tocsin'} --help`"


def _flushed(code: int) -> int:
    """What is still in the buffer may meet a closed pipe or a full disk as well."""
    try:
        sys.stdout.flush()
    except OSError as error:
        return _unwritten(error)
    return code


def _unwritten(error: OSError) -> Code:
    """Nobody reads on, or the disk is full: what remains must not fail again when Python itself flushes it at exit."""
    if not isinstance(error, BrokenPipeError):
        what = f"{error.filename} cannot be used" if error.filename else "the output could not be written"
        complain(f"{what}: {error.strerror or error}")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
    return Code.BROKEN_PIPE if isinstance(error, BrokenPipeError) else Code.REFUSED


def on_bug(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """For `sys.excepthook`. A bug is told in one line as well, with where it happened."""
    if issubclass(kind, KeyboardInterrupt):
        complain("interrupted")
        return
    steps = traceback.extract_tb(trace)
    place = f"{Path(steps[-1].filename).name}:{steps[-1].lineno}" if steps else "an unknown place"
    words = (str(error).splitlines() or [""])[0][:300]
    complain(f"this is a bug in Tocsin, please report it with this line: {kind.__name__} at {place}: {words}")
