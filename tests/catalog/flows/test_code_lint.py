"""Checks of code in flows: returns, functions that nothing calls, bare input, and names of nodes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doit_mcp.catalog.flows.code_lint import MAX_NAMED, Language, lint_code
from doit_mcp.catalog.flows.code_text import blank_javascript, blank_python
from tests.work_counter import count_work

NO_RETURN, UNCALLED, INPUT, UNKNOWN = (
    "no return at its top level",
    "is never called",
    "no variable input",
    "no node with",
)
NODES = ("List disks", "Filter")


def found(code: str, language: Language) -> list[str]:
    """Return which kinds of problems the code has."""
    text = " ".join(lint_code(code, language, NODES))
    return [kind for kind in (NO_RETURN, UNCALLED, INPUT, UNKNOWN) if kind in text]


@pytest.mark.parametrize(
    ("code", "kinds"),
    [
        ('const rows = $nodes["List disks"][0].results; return {total: rows.length};', []),
        ("if (a) { return {b: 1}; } else { b(); }", []),
        ("for (const x of xs) { return x; }", []),
        ("try { return a() } catch (e) { throw e }", []),
        ("switch (a) { case 1: return 2 }", []),
        ("const f = async (x) => { return x }; return await f(1);", []),
        ("function f() { return 1 }\nreturn f();", []),
        ("return xs.map(({input}) => input)", []),
        ("const {input} = a; return input", []),
        ("return {input: 1, b: a.input}", []),
        ("const r = /[/{'\"]/.test(a); return r", []),
        ("const half = a / 2; const s = '/'; return half", []),
        ("return `${xs.map(x => { return `<${x}>` }).join()}`", []),
        ("function main() { return 1 }", [NO_RETURN, UNCALLED]),
        ("const f = () => { return 1 }; f()", [NO_RETURN]),
        ("output = [1].map(function (x) { return x })", [NO_RETURN]),
        ("(function () { return 1 })()", [NO_RETURN]),
        ("class A { get() { return 1 } static async b() { return 2 } }", [NO_RETURN]),
        ("const o = {f() { return 1 }}", [NO_RETURN]),
        ("// return 1\n/* return 2 */ const s = 'return 3'", [NO_RETURN]),
        ("const s = `return ${(() => { return 1 })()}`", [NO_RETURN]),
        ("a.return; b = {return: 1}.return", []),
        ("return input.rows", [INPUT]),
        ("return $nodes['List disk'][0]", [UNKNOWN]),
        ("return $nodes[`Filter`][0] // $nodes['x']", []),
        ("return $nodes.Nope[0]", [UNKNOWN]),
        ("return $nodes?.Nope?.[0]", [UNKNOWN]),
        ("return $nodes.Filter[0] // $nodes.Nope", []),
        ("return $nodes.hasOwnProperty('x') ? 1 : 2", []),
        ("return '$nodes.Nope'", []),
        ("return '$nodes[\"x\"]'", []),
    ],
)
def test_javascript(code: str, kinds: list[str]) -> None:
    assert found(code, "javascript") == kinds


@pytest.mark.parametrize(
    ("code", "kinds"),
    [
        ('rows = nodes["List disks"][0]["results"]\nreturn {"total": len(rows)}', []),
        ("if a:\n    return 1\nelse:\n    b()", []),
        ("if a: return 1", []),
        ("def f(x):\n    return x\n\nreturn f(1)", []),
        ("def f():\n    x = [\n1,\n]\n    return x\nreturn f()", []),
        ("with a as b:\n\tfor c in b:\n\t\treturn c", []),
        ("text = input('x')\nreturn text", [INPUT]),
        ("input = 1\nreturn input", []),
        ("for input in xs:\n    pass\nreturn 1", []),
        ("def f(input):\n    return input\nreturn f(1)", []),
        ("def main():\n    return 1", [NO_RETURN, UNCALLED]),
        ("async def main():\n  if a:\n    return 1\nmain()", [NO_RETURN]),
        ("def f(): return 1\nf()", [NO_RETURN]),
        ("def f():\n    def g():\n        return 1\n    return g()\nf()", [NO_RETURN]),
        ("def f(\n    a,\n):\n    return a\noutput = f(1)", [NO_RETURN]),
        ('x = """\nreturn 1\n"""\noutput = x  # return 2', [NO_RETURN]),
        ("x = (\nreturn_ for return_ in a)", [NO_RETURN]),
        ("return nodes['Filtr'][0]", [UNKNOWN]),
    ],
)
def test_python(code: str, kinds: list[str]) -> None:
    assert found(code, "python") == kinds


def test_messages_help() -> None:
    (unknown,) = lint_code("return $nodes['Filtr']", "javascript", NODES)
    assert unknown == 'The flow has no node with the name "Filtr", which the code reads. Did you mean "Filter"?'
    results = ["".join(lint_code("x = 1", language, ())) for language in ("javascript", "python")]
    assert "{}" in results[0] and "{message: null}" in results[1]
    names = "".join(f"return nodes['n{number}'];" for number in range(99))
    assert len(list(lint_code(names, "javascript", ()))) == MAX_NAMED


FRAGMENTS = st.sampled_from(
    [
        *"\"'`/\\{}()[]$,;=\n #*",
        "//",
        "/*",
        "*/",
        "${",
        '"""',
        "function f",
        "=>",
        "return ",
        "nodes[",
        "input",
        "def f():",
        "a",
    ]
)
CODE = st.one_of(st.text(max_size=200), st.lists(FRAGMENTS, max_size=60).map("".join))


@given(CODE)
def test_blank_text_keeps_positions(code: str) -> None:
    for blank in (blank_javascript, blank_python):
        blanked = blank(code)
        assert len(blanked) == len(code)
        assert all(new in (old, " ") for old, new in zip(code, blanked, strict=True))
        assert [at for at, letter in enumerate(blanked) if letter == "\n"] == [
            at for at, letter in enumerate(code) if letter == "\n"
        ]


@given(CODE, st.sampled_from(["javascript", "python"]))
def test_any_code_is_checked(code: str, language: Language) -> None:
    assert all(isinstance(problem, str) for problem in lint_code(code, language, NODES))


STATEMENTS = st.lists(
    st.sampled_from(
        [
            "const a = 1;",
            "if (b) { c(); }",
            "xs.forEach(x => { y(x); });",
            "// note",
            "const s = `a${b}c`;",
            "for (const d of e) { f(d) }",
            "const o = {g() { h() }, i: /}/};",
        ]
    ),
    max_size=8,
)


@given(STATEMENTS, STATEMENTS)
def test_return_counts_outside_of_functions_only(before: list[str], after: list[str]) -> None:
    code = "\n".join([*before, "return 1;", *after])
    assert NO_RETURN not in found(code, "javascript")
    assert NO_RETURN in found(f"async function run() {{\n{code}\n}}\nrun();", "javascript")
    assert NO_RETURN in found(f"const run = async () => {{\n{code}\n}};\nrun();", "javascript")


PATTERNS = (
    *(
        "(/[",
        "/",
        "'",
        '"',
        "`",
        "`${",
        "${",
        "{",
        "(",
        "[",
        "\\",
        "const ",
        "nodes[",
        "nodes['",
        "function ",
        "x = 'a'",
    ),
    *("def ", "    ", "\t", '"""', "input ", "/*", "(input", "return", "const{input", "nodes[ "),
)


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("language", ["javascript", "python"])
def test_work_grows_with_the_length_of_hostile_code(pattern: str, language: Language) -> None:
    def lines(size: int) -> int:
        code = (pattern * size)[:size]
        return count_work(lambda: list(lint_code(code, language, NODES)))[1].lines

    # Regular expressions are read up to a fixed length, so a slash costs the same wherever it is.
    assert lines(16_000) < 10 * lines(4_000)
