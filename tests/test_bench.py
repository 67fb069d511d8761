"""scripts/bench measures what it claims and verifies every response. These tests make no statement about speed."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest

from scripts.benchmark import against, figures, instructions, ladder, machine, minimal_servers
from scripts.benchmark.__main__ import choose_entries, choose_suites, with_points
from scripts.benchmark.callers import Job, request_message
from scripts.benchmark.client import ID_PLACEHOLDER, Target, fill_id, parse_result
from scripts.benchmark.fairness import SCENARIOS
from scripts.benchmark.goals import CHECKS, FAIRNESS_CHECKS, LOAD_FIGURES, NOT_MEASURED, Check, log_cost
from scripts.benchmark.growth import CURVES, ByRound, Column
from scripts.benchmark.inputs import Inputs, make_tools
from scripts.benchmark.machine import Cores
from scripts.benchmark.report import goals_table, make_report, markdown_table, rst_table
from scripts.benchmark.servers import Ports, server_environment, server_kinds
from scripts.benchmark.suites import FLOOR_SUITES, SUITES
from scripts.benchmark.trials import Measurement, Plan, make_job, run_load, run_upstream, start_entry
from scripts.benchmark.wire import Connection, EventStream, MeasurementFailed, decode_chunks, find_header, parse_events

ROOT = Path(__file__).parent.parent
# A run starts a dozen processes, which may take minutes on a busy machine. Only a hang takes longer than this.
HANGS = pytest.mark.timeout(1800)


def first_port() -> int:
    """The first port of this xdist worker: another worker could take a port between finding and binding it."""
    return 23_000 + 1_000 * int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))


def bench(file: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run scripts/bench in the environment of the tests."""
    command = [str(ROOT / "scripts" / "bench"), "--rounds", "1", "-d", "0.2", "-c", "2", "--port", str(first_port())]
    command += ["--json", str(file)]
    environment = os.environ | {"BENCH_PYTHON": sys.executable}
    return subprocess.run([*command, *arguments], env=environment, capture_output=True, text=True, check=False)


def test_cpu_time_belongs_to_the_process() -> None:
    """CPU time is as precise as the process's own clock, so a short window on a busy machine never shows zero."""
    early, measured, late = time.process_time(), machine.cpu_seconds(os.getpid()), time.process_time()
    assert 0 < early <= measured <= late
    child = subprocess.Popen([sys.executable, "-c", "print(sum(range(1_000_000)), flush=True); input()"],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # fmt: skip
    with child:
        assert child.stdout is not None and child.stdout.readline()
        assert machine.cpu_seconds(child.pid) > 0
        child.kill()
    with pytest.raises(OSError):
        machine.cpu_seconds(child.pid)


@HANGS
def test_measures_this_server_and_the_baselines(tmp_path: Path) -> None:
    done = bench(tmp_path / "raw", "call", "sse", "list", "init", "fetch", "legacy", "fresh", "--only", "limit [^a]")
    assert done.returncode == 0, done.stderr[-3000:]
    records = [json.loads(line) for line in (tmp_path / "raw").read_text().splitlines()]
    names = {(record["suite"], record["server"]) for record in records}
    limits = {"call": "c", "sse": "s1", "list": "c", "init": "c", "fetch": "cd", "legacy": "c", "fresh": "b"}
    assert names == {(suite, "ours") for suite in limits} | {
        (limit_suite, f"limit {at}") for limit_suite, at in limits.items()
    }
    for record in records:
        assert not record["error"] and not record["figures"]["failures"]
        assert record["figures"]["requests"] > 0 and record["figures"]["rps"] > 0
        assert 0 < record["figures"]["p50_ms"] <= record["figures"]["p99_ms"]
    for suite in limits:
        assert f"## {suite}, c=2: " in done.stdout
    assert done.stdout.count("| ours ") == done.stdout.count("| limit ") == len(limits)
    assert "## Goals" in done.stdout and "not measured (goal" in done.stdout


@HANGS
def test_measures_startup_of_fresh_processes(tmp_path: Path) -> None:
    done = bench(tmp_path / "raw", "startup", "sessions", "--only", "nobody else")
    assert done.returncode == 0, done.stderr[-3000:]
    start, sessions = (json.loads(line)["figures"] for line in (tmp_path / "raw").read_text().splitlines())
    assert start["start_s"] > 0 and start["rss_mb"] > 10
    assert sessions["full_mb"] >= sessions["rss_mb"] > 10 and sessions["bytes_each"] >= 0


def test_servers_keep_their_bytecode() -> None:
    """Each start would compile this server's source otherwise, but not the installed packages of the peers."""
    given = {"PYTHONDONTWRITEBYTECODE": "1", "PATH": "/bin", "PYTHONPATH": "x"}
    assert server_environment(given) == {"PATH": "/bin", "PYTHONPATH": "x"}


@HANGS
def test_measures_curves_and_fairness(tmp_path: Path) -> None:
    suites = ("grow-sessions", "fairness")
    done = bench(tmp_path / "raw", *suites, "-d", "0.1", "--points", "3", "--only", "^(3|L3|K1)$", "--rst")
    assert done.returncode == 0, done.stderr[-3000:]
    records = [json.loads(line) for line in (tmp_path / "raw").read_text().splitlines()]
    figures = {record["server"]: record["figures"] for record in records}
    assert tuple(figures) == ("3", "L3", "K1")
    assert figures["3"]["bytes_each"] >= 0 and figures["3"]["cpu_us"] > 0
    assert figures["L3"]["p95_s"] > 0 and figures["K1"]["slowest_s"] > 0 and figures["K1"]["key_fetches"] >= 1
    assert "sessions held  CPU µs/call" in done.stdout and "\nK1   200 first requests" in done.stdout


@HANGS
def test_every_rung_gives_the_right_responses(tmp_path: Path) -> None:
    """Each of them answers the same requests as the server, and exactly as many as are sent."""
    inputs = Inputs(tmp_path)
    plan = Plan(inputs, server_kinds(), Ports(first_port() + 500), Cores())
    answered = set()
    with run_upstream(inputs, Cores()):
        for suite in (suite for suite in FLOOR_SUITES if suite.operation != "start"):
            for entry in (entry for entry in suite.entries if entry.kind == "ladder" or entry.name == "limit bytes"):
                running = start_entry(entry, plan)
                try:
                    result = run_load(replace(make_job(suite, entry, running, plan, 4, 0), requests=41), plan)
                finally:
                    running.stop()
                assert result == {"requests": 41, "failures": 0, "failure": ""}, entry
                answered.add(entry.name)
    assert answered == {"limit bytes", *ladder.RUNGS} and "bytes" in minimal_servers.LEVELS


@HANGS
@pytest.mark.skipif(not instructions.is_available(), reason="valgrind, which counts instructions, is not installed")
def test_counts_instructions(tmp_path: Path) -> None:
    done = bench(tmp_path / "raw", "floor-call", "--only", "^limit bytes$")
    assert done.returncode == 0, done.stderr[-3000:]
    counts = {
        row["server"]: row["figures"]["instructions"]
        for row in map(json.loads, (tmp_path / "raw").read_text().splitlines())
    }
    assert 50_000 < counts["limit bytes"] < counts["ours"] < 5_000_000


def test_table_of_instructions_shows_what_each_row_adds() -> None:
    counts = {"limit a": 100_000.0, "limit c": 200_000.0, "limits": 250_500.0, "ours": 300_000.0}
    records = [Measurement("floor-call", name, 0, 32, {"instructions": count}) for name, count in counts.items()]
    rows = [line for line in make_report(records, []).splitlines() if line.startswith("| ")][1:6]
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows[1:]]
    assert (
        cells
        == [
            ["limit a", "100.0", "", "0.50"],
            ["limit c", "200.0", "100.0", "1.00"],
            ["limits", "250.5", "50.5", "1.25"],
            ["ours", "300.0", "49.5", "1.50"],
        ][: len(cells)]
    )
    assert len(cells) == 4


def test_unknown_suite_is_rejected(tmp_path: Path) -> None:
    done = bench(tmp_path / "raw", "speed")
    assert done.returncode == 2 and "available: call, sse" in done.stderr


def test_percentiles_are_observed_values() -> None:
    ordered = [float(number) for number in range(1, 101)]
    assert [figures.percentile(ordered, share) for share in (0, 0.5, 0.99, 1)] == [1, 50, 99, 100]
    assert figures.percentile([3.0], 0.99) == 3
    with pytest.raises(ValueError, match="nothing"):
        figures.percentile([], 0.5)


def test_spread_has_range_and_median() -> None:
    spread = figures.make_spread([4, 1, 1000, 2])
    assert spread == figures.Spread(1, 3, 1000) and spread.format() == "1 / 3 / 1,000"
    assert figures.Spread(2, 2, 2).format(1) == "2.0"
    assert figures.make_spread([]) is None


def test_ratios_compare_within_a_round() -> None:
    """Ratios are taken per round. The second round is slow for both servers; a ratio of medians would not be 2."""
    assert figures.ratio_spread({0: 20, 1: 200, 2: 30}, {0: 10, 1: 100}) == figures.Spread(2, 2, 2)
    assert figures.ratio_spread({0: 1}, {1: 1}) is None and figures.ratio_spread({0: 1}, {0: 0}) is None


def record(server: str, round: int, cpu: float, suite: str = "call", error: str = "") -> Measurement:
    """Return one load measurement."""
    values = {"rps": 1e6 / cpu, "p50_ms": 1.0, "p99_ms": 2.0, "cpu_us": cpu, "foreign": 0.0}
    return Measurement(suite, server, round, 32, {} if error else values, error)


def test_goals_report_whether_and_by_how_much_they_are_met() -> None:
    records = [
        record("ours", 0, 150),
        record("limit c", 0, 100),
        record("py-sdk", 0, 900),
        record("py-fastmcp", 0, 1500),
    ]
    records += [record("ours, request log", 0, 180)]
    lines = [line for line in goals_table(records).splitlines() if line.startswith(("| 1", "| 2"))]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert [cell[3:] for cell in cells] == [
        ["1.50", "no, 7.1% over"],
        ["30.0", "no, 5 µs over"],
        ["6.00", "no, 14.3% under"],
        ["10.00", "yes"],
    ]


def test_invalid_measurement_is_shown_but_not_counted() -> None:
    records = [record("ours", 0, 150), record("limit c", 0, 1, error="3 wrong answers"), record("ours", 1, 160)]
    assert CHECKS[0].value(records) is None and CHECKS[0].verdict(None) == NOT_MEASURED
    assert log_cost(records) is None
    records.append(Measurement("grow-tools", "ours", 0, 0, error="it does not start"))
    report = make_report(records, ["a note"])
    assert "- void: ours, round 1: it does not start" in report
    assert (
        "- void: limit c, round 1: 3 wrong answers" in report and "a note" in report and "not measured (goal" in report
    )


def test_every_goal_compares_existing_servers() -> None:
    assert {check.goal for check in CHECKS} == set(range(1, 15))
    for check in CHECKS:
        names = {entry.name for entry in SUITES[check.suite].entries}
        assert check.server in names and check.baseline in names | {""}, check
        assert (check.maximum is None) != (check.minimum is None) and check.description and check.bound
        fixed = SUITES[check.suite].connections
        assert check.figure not in LOAD_FIGURES or check.connections in fixed, check
    assert Check(1, "call", "ours", maximum=2).verdict(figures.Spread(1, 2, 3)) == "yes"


def test_every_demand_has_a_runnable_scenario() -> None:
    entries = {entry.name: entry for entry in SUITES["fairness"].entries}
    assert {check.server for check in FAIRNESS_CHECKS} == {str(check.goal) for check in FAIRNESS_CHECKS} == set(entries)
    assert {entry.operation for entry in entries.values()} == set(SCENARIOS)
    assert all("--usual-limits" in entry.options for entry in entries.values())
    records = [
        Measurement("fairness", "K1", 0, 0, {"key_fetches": 4}),
        Measurement("fairness", "Q2", 0, 0, {"p95_s": 0.25}),
    ]
    lines = [line for line in goals_table(records, FAIRNESS_CHECKS).splitlines() if line.startswith(("| Q2", "| K1"))]
    assert [line.split("|")[4].strip() for line in lines] == ["0.250", "4"]
    assert "yes" in lines[0] and "no, 33.3% over" in lines[1]


LINEAR: list[tuple[int, ByRound]] = [
    (0, {0: 10.0, 1: 20.0}),
    (10, {0: 20.0, 1: 30.0}),
    (20, {0: 30.0, 1: 40.0}),
    (30, {0: 40.0, 1: 75.0}),
]


def test_growth_is_compared_with_the_first_point_and_linear_growth() -> None:
    def cell(against: Literal["", "base", "line", "unit"], at: int) -> figures.Spread | None:
        return Column("", "", 0, against).cell(LINEAR, at, 0)

    assert cell("", 1) == figures.Spread(20, 25, 30)
    assert cell("base", 0) is None and cell("base", 1) == figures.Spread(1.5, 1.75, 2)
    assert cell("line", 2) is None and cell("line", 3) == figures.Spread(1, 1.25, 1.5)
    assert cell("unit", 0) is None and cell("unit", 1) == figures.Spread(1, 1, 1)


@pytest.mark.parametrize("name", list(CURVES))
def test_curves_have_a_row_per_measured_point(name: str) -> None:
    curve = CURVES[name]
    measured = {entry.name: [(0, {"cpu_us": 100.0, "rss_mb": 60.0})] for entry in curve.entries()}
    heading, *lines = curve.rows(measured)
    assert len(lines) == len(curve.points) and {len(line) for line in lines} == {len(heading)}
    assert len(curve.rows({"7": [(0, {"cpu_us": 1.0})]})) == 2
    assert [entry.name for entry in with_points(SUITES[name], (2, 3000)).entries] == ["2", "3,000"]
    assert with_points(SUITES["call"], (2,)) is SUITES["call"] and SUITES[name] in choose_suites(["growth"])


def test_servers_that_are_not_installed_are_omitted() -> None:
    installed = {"ours": True, "limit": True} | dict.fromkeys(("py-sdk", "py-fastmcp", *("ts-sdk1", "ts-sdk2")), False)
    installed |= {"ts-fastmcp": True}
    assert [entry.name for entry in choose_entries(SUITES["init"], "", installed)] == ["ours", "limit c"]
    assert [entry.name for entry in choose_entries(SUITES["sse"], "ts", installed)] == ["ours", "ts-fastmcp"]
    assert choose_suites(["all"]) == list(SUITES.values()) and choose_suites([])[0].name == "call"


def test_another_checkout_is_measured_beside_this_one(tmp_path: Path) -> None:
    suite = against.with_other_server(SUITES["call"])
    names = [(entry.name, entry.kind) for entry in suite.entries[:4]]
    other = [("against", "against"), ("against, request log", "against")]
    assert names == [("ours", "ours"), other[0], ("ours, request log", "ours"), other[1]]
    assert suite.entries[3].options == suite.entries[2].options != ()
    assert against.with_other_server(SUITES["grow-tools"]) is SUITES["grow-tools"]
    program = tmp_path / "scripts" / "bench_server.py"
    with pytest.raises(FileNotFoundError):
        against.make_kind(tmp_path)
    program.parent.mkdir()
    program.touch()
    assert against.make_kind(tmp_path).command == (sys.executable, str(program))


def test_checkouts_are_compared_round_by_round() -> None:
    records = [record("ours", 0, 110), record("against", 0, 100), record("ours", 1, 210), record("against", 1, 200)]
    records += [record("ours, request log", 0, 150), record("limit c", 0, 70), record("against", 2, 1, error="no")]
    rows = against.comparison_rows(records)
    assert rows == [against.HEADING, ("call", "ours", "32", "cpu_us", "1.050 / 1.075 / 1.100")]
    assert "## Against the other checkout" in make_report(records, []) and "## Against" not in make_report(
        records[:1], []
    )


@HANGS
def test_measures_another_checkout(tmp_path: Path) -> None:
    done = bench(tmp_path / "raw", "call", "--only", "^against$", "--against", str(ROOT))
    assert done.returncode == 0, done.stderr[-3000:]
    records = [json.loads(line) for line in (tmp_path / "raw").read_text().splitlines()]
    assert [(row["server"], row["error"]) for row in records] == [("ours", ""), ("against", "")]
    assert "ours over the other" in done.stdout
    done = bench(tmp_path / "raw", "call", "--against", str(tmp_path))
    assert done.returncode == 2 and "is not a checkout of this project" in done.stderr


def test_generated_tools_are_deterministic() -> None:
    tools = make_tools(100)
    assert tools == make_tools(100) and len({tool["name"] for tool in tools}) == 100
    assert [tool["name"] for tool in tools[:2]] == ["echo", "fetch_report"]
    assert 130_000 < len(json.dumps(tools, separators=(",", ":"))) < 170_000


@pytest.mark.parametrize("operation", ["call", "stream", "fetch", "list"])
def test_requests_have_a_length_and_a_number(operation: str) -> None:
    message, least = request_message(Job(operation, 1, 1, ""))
    raw = fill_id(Target(80, "secret").post(message, "s1"), 12_345_678)
    head, _, body = raw.partition(b"\r\n\r\n")
    assert int(find_header(head, "content-length")) == len(body) and find_header(head, "mcp-session-id") == b"s1"
    assert (
        json.loads(body)["id"] == 12_345_678 and body.count(b"12345678") >= least and b"%d" % ID_PLACEHOLDER not in raw
    )


def answer_of(*pieces: bytes) -> list[tuple[int, bytes, bytes]]:
    """Return the responses that a connection reads from bytes arriving in pieces."""
    connection, responses = Connection(), list[tuple[int, bytes, bytes]]()
    connection.on_response = lambda status, head, body: responses.append((status, head, body))
    for piece in pieces:
        connection.data_received(piece)
    return responses


HEAD = b"HTTP/1.1 200 OK\r\nMcp-Session-Id: AbC\r\n"
SIZED = HEAD + b"content-length: 5\r\n\r\nhello"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=1\r\nllo\r\n0\r\n\r\n"


@pytest.mark.parametrize("raw", [SIZED, CHUNKED])
def test_responses_are_parsed_for_any_chunking(raw: bytes) -> None:
    for cut in range(1, len(raw)):
        [(status, head, body)] = answer_of(raw[:cut], raw[cut:])
        assert (status, body) == (200, b"hello") and find_header(head, "mcp-session-id") == b"AbC"
    [(_, _, body)] = answer_of(*(raw[at : at + 1] for at in range(len(raw))))
    assert body == b"hello"
    assert answer_of(raw[:-1]) == []


def test_responses_without_a_body_need_no_length() -> None:
    assert answer_of(b"HTTP/1.1 202 Accepted\r\nX: y\r\n\r\n")[0][2] == b""
    with pytest.raises(MeasurementFailed, match="without a length"):
        answer_of(b"HTTP/1.1 200 OK\r\nX: y\r\n\r\n")
    assert decode_chunks(b"5\r\nhel", 0) is None


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("chunked", [False, True])
def test_events_are_parsed_for_any_chunking(end: str, chunked: bool) -> None:
    text = f": hi{end}{end}event: endpoint{end}data: /x{end}{end}data: a{end}data: b{end}{end}".encode()
    raw = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (text[:9], text[9:])) if chunked else text
    for cut in range(len(raw)):
        found: list[tuple[bytes, bytes]] = []

        def take(name: bytes, data: bytes, found: list[tuple[bytes, bytes]] = found) -> None:
            found.append((name, data))

        stream = EventStream(take)
        stream.chunked = chunked
        stream.feed(raw[:cut])
        stream.feed(raw[cut:])
        assert found == [(b"endpoint", b"/x"), (b"message", b"a\nb")]
    assert parse_events(text) == [b"/x", b"a\nb"]


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, b'{"id":1,"result":{}}'),
        (200, b'{"id":2,"result":{}}'),
        (200, b'{"id":1,"error":{}}'),
        (200, b'{"id":1,"result":{"isError":true}}'),
        (200, b"no JSON"),
    ],
)
def test_wrong_responses_fail(status: int, body: bytes) -> None:
    with pytest.raises(MeasurementFailed):
        parse_result(status, HEAD, body, 1)


async def test_rejected_stream_fails() -> None:
    connection = Connection()
    connection.connection_made(_Transport())
    opening = asyncio.ensure_future(connection.open_stream(b"", lambda name, data: None))
    await asyncio.sleep(0)
    connection.data_received(b"HTTP/1.1 401 Unauthorized\r\nContent-Type: application/json\r\n\r\n{}")
    with pytest.raises(MeasurementFailed, match="401"):
        await opening


class _Transport(asyncio.Transport):
    """A transport that discards what is written."""

    def write(self, data: object) -> None:
        """Discard *data*."""


def test_tables_are_aligned() -> None:
    assert markdown_table([("a", "bb"), ("ccc", "d")]).splitlines() == ["| a   | bb |", "| --- | -- |", "| ccc | d  |"]
    assert rst_table([("a", "bb"), ("ccc", "")]).splitlines() == ["===  ==", "a    bb", "===  ==", "ccc", "===  =="]
