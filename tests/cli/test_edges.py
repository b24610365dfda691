"""What can go wrong around a command: each is one line on stderr and an exit code, never a traceback."""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streams import endpoints
from streams.cli import edge
from streams.runlock import sole_run
from tests.cli.conftest import Operator, alert
from tests.web.world import World


@contextmanager
def answering(operator: Operator, *answers: bytes) -> Iterator[list[bytes]]:
    """A server that gives these answers, one a connection; none hangs up. Yields what it was asked."""
    asked: list[bytes] = []

    def serve(listener: socket.socket) -> None:
        for answer in answers:
            connection, _ = listener.accept()
            with connection:
                asked.append(connection.recv(65536))
                connection.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(20)
        operator.address = f"127.0.0.1:{listener.getsockname()[1]}"
        thread = threading.Thread(target=serve, args=(listener,))
        thread.start()
        yield asked
        thread.join()


@pytest.mark.parametrize(
    "words",
    [
        ("incidents",),
        ("ack", "001"),
        ("declare", "x", "--severity", "SEV2"),
        ("page", "--test"),
        ("deliveries",),
        ("deadlines",),
        ("action-items",),
        ("postmortems",),
    ],
)
def test_a_server_that_is_not_there(lonely: Operator, words: tuple[str, ...]) -> None:
    said = lonely.fails(3, *words)
    assert "start `tocsin up`" in said
    assert "127.0.0.1:1" in said


def test_a_wrong_token_and_none(operator: Operator) -> None:
    for token in ("wrong", "", "höher"):
        operator.env["TOCSIN_API_TOKEN"] = token
        assert "set TOCSIN_API_TOKEN" in operator.fails(4, "incidents")
    operator.env["TOCSIN_API_TOKEN"] = "two\nlines"
    assert "TOCSIN_API_TOKEN cannot be sent" in operator.fails(2, "incidents")


def test_the_web_of_the_up_that_runs_here_is_found(operator: Operator) -> None:
    address, operator.address = operator.address, "127.0.0.1:1"
    with sole_run(operator.folder) as nonce:
        endpoints.publish(operator.folder, "web", f"http://{address}", nonce)
        assert operator.gets("incidents") == "No incidents.\n"
    assert "does not answer" in operator.fails(3, "incidents")


def test_a_command_that_nobody_handles_yet_says_so(lonely: Operator) -> None:
    body = b'{"signal_id":"00000000-0000-0000-0000-000000000000","hint":"It is kept. Is a worker running?"}'
    with answering(lonely, b"HTTP/1.1 202 Later\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)):
        assert "Is a worker running?" in lonely.fails(6, "ack", "INC-2026-1121-001")


def test_a_broker_or_database_that_is_away(operator: Operator, world: World) -> None:
    alert(operator)

    async def away() -> None:
        raise ConnectionError("gone")

    world.broken = away
    assert "Nothing was accepted" in operator.fails(3, "ack", "001")
    world.reads.away = ConnectionError("gone")
    assert "does not answer" in operator.fails(3, "incidents")


@pytest.mark.parametrize(
    ("variables", "line"),
    [
        ({"TOCSIN_WEB_BIND": "here"}, "write HOST:PORT"),
        ({"TOCSIN_WEB_BIND": "127.0.0.1:0"}, "no `tocsin up` runs"),
        ({"TOCSIN_API_TOKEN": "", "TOCSIN_API_TOKEN_FILE": "/nowhere"}, "cannot be read"),
    ],
)
def test_settings_that_cannot_be_used(lonely: Operator, variables: dict[str, str], line: str) -> None:
    lonely.env = variables
    assert line in lonely.fails(3 if "runs" in line else 2, "incidents")


@pytest.mark.parametrize(
    "words",
    [
        ("nonsense",),
        ("ack",),
        ("incidents", "--bogus"),
        ("declare", "x"),
        ("declare", "x", "--severity", "SEV9"),
        ("incidents", "list", "--limit", "many"),
        ("severity", "001", "SEV2"),
        ("dead-letters", "replay"),
        ("dead-letters", "replay", "abcdef", "--all"),
    ],
)
def test_wrong_words(lonely: Operator, words: tuple[str, ...]) -> None:
    said = lonely.fails(2, *words)
    assert "--help`" in said or "dead-letters list" in said


@pytest.mark.parametrize("words", [(), ("maintenance",), ("policy",)])
def test_help_says_whole_sentences(lonely: Operator, words: tuple[str, ...]) -> None:
    said = lonely.gets(*words, "--help").split("Commands:")[1]
    assert "..." not in said
    assert " ".join(said.split()).count(".") >= 2


_COMMANDS = ("incidents", "ack", "declare", "update", "severity", "page", "deliveries", "deadlines", "action-items",
             "postmortems", "dead-letters", "policy")  # fmt: skip
_WORDS = st.one_of(
    st.sampled_from(
        ["list", "show", "add", "check", "replay", "--all", "--json", "--test", "--by", "--severity", "--", "-"]
    ),
    st.text(max_size=12),
)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(command=st.sampled_from(_COMMANDS), words=st.lists(_WORDS, max_size=4))
def test_garbage_never_ends_in_a_traceback(lonely: Operator, command: str, words: list[str]) -> None:
    result = lonely.types(command, *words)
    assert isinstance(result.exception, SystemExit | None)
    assert result.exit_code in {0, 1, 2, 3, 5}
    assert all(line.startswith("tocsin: ") for line in result.stderr.splitlines())


@pytest.fixture
def stranger() -> Iterator[HTTPServer]:
    """A web server that is not Tocsin; `answer` is its body."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = getattr(self.server, "answer", b"<html>hello</html>")
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Page) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.mark.parametrize(
    "answer", [b"<html>", b"[]", b'{"incidents": 3}', b"null", b"\xff\xfe", b'{"incidents": [{}], "next": null}']
)
def test_a_server_that_is_not_tocsin(lonely: Operator, stranger: HTTPServer, answer: bytes) -> None:
    stranger.answer = answer  # type: ignore[attr-defined]
    lonely.address = f"127.0.0.1:{stranger.server_port}"
    result = lonely.types("incidents")
    assert result.exit_code in {1, 3}
    assert result.stderr.count("\n") == 1
    assert "correct TOCSIN_WEB_BIND" in result.stderr or "same version" in result.stderr


def test_what_is_no_number_is_quoted_as_it_was_typed(operator: Operator) -> None:
    for typed in ("foo", "Höhe", "inc-2026-21"):
        assert operator.fails(5, "ack", typed) == (
            f"tocsin: there is no incident {typed!r}: see `tocsin incidents list`\n"
        )


def test_what_is_not_utf_8_is_said(operator: Operator) -> None:
    for words in (("declare", "caf\udce9", "--severity", "SEV2"), ("incidents", "--service", "caf\udce9")):
        assert "UTF-8" in operator.fails(2, *words)


def test_ctrl_c_ends_a_command_in_one_line(lonely: Operator) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(20)
        lonely.address = f"127.0.0.1:{silent.getsockname()[1]}"
        process = lonely.starts("incidents")
        connection, _ = silent.accept()
        with connection:
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=10)
    assert (process.returncode, out, err) == (130, "", "tocsin: interrupted\n")


@pytest.mark.parametrize(("words", "module"), [("incidents", "typer"), ("up", "uvloop"), ("worker", "faust")])
def test_ctrl_c_while_a_command_is_still_being_loaded(
    lonely: Operator, tmp_path: Path, words: str, module: str
) -> None:
    (tmp_path / f"{module}.py").write_text("import signal; signal.raise_signal(signal.SIGINT)")
    lonely.env = {"PYTHONPATH": str(tmp_path), "TOCSIN_KAFKA": "127.0.0.1:1"}
    process = lonely.starts(words)
    assert process.communicate(timeout=30) == ("", "tocsin: interrupted\n")
    assert process.returncode == 130


def test_a_pipe_that_is_closed_ends_it_quietly(operator: Operator) -> None:
    alert(operator)
    process = operator.starts("incidents", "list", "--json")
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    assert process.stderr.read() == ""
    assert process.wait(10) == 141
    process.stderr.close()


def test_a_full_disk_under_the_output_is_said(operator: Operator) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full here")
    alert(operator)
    process = operator.starts("incidents", into=Path("/dev/full"))
    _, err = process.communicate(timeout=20)
    assert (process.returncode, err) == (1, "tocsin: the output could not be written: No space left on device\n")


def test_a_connection_that_breaks_under_a_command_is_tried_again_with_the_same_key(lonely: Operator) -> None:
    refusal = b'HTTP/1.1 422 No\r\nContent-Length: 30\r\n\r\n{"error":"so it is","hint":""}'
    with answering(lonely, b"", refusal) as asked:
        assert lonely.fails(2, "declare", "x", "--severity", "SEV2") == "tocsin: so it is\n"
    keys = [[line for line in request.split(b"\r\n") if line.startswith(b"Idempotency-Key")] for request in asked]
    assert keys[0] == keys[1] != []


def test_help_names_every_command_and_the_exit_codes(lonely: Operator) -> None:
    said = lonely.gets()
    assert all(command in said for command in _COMMANDS)
    assert "Exit codes:" in said
    assert lonely.gets("--version").startswith("tocsin ")


def test_a_bug_is_one_line_with_its_place(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        raise KeyError("missing\n\x1b[2J")  # noqa: TRY301 (the place is what is looked at)
    except KeyError as error:
        edge.on_bug(KeyError, error, error.__traceback__)
    said = capsys.readouterr().err
    assert said.startswith(
        "tocsin: this is a bug in Tocsin, please report it with this line: KeyError at test_edges.py:"
    )
    assert said.count("\n") == 1
    assert "\x1b" not in said
