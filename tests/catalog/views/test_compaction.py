"""Scripts and styles lose comments and white space, and nothing else."""

from __future__ import annotations

import pytest

from doit_mcp.catalog.views.compaction import compact_script, compact_style


@pytest.mark.parametrize(
    ("source", "compacted"),
    [
        ("const a = 1; // one\n  const b = a + 2;\n", "let a=1;let b=a+2;"),
        ("/* a\n b */ f( a, b )", "f(a,b)"),
        ("f(\"a  // b\", '/* c */')", "f(\"a  // b\",'/* c */')"),
        ("`a  ${ b ? `c  // ${ d }  e` : { f: 1 }.f }  g`", "`a  ${b?`c  // ${d}  e`:{f:1}.f}  g`"),
        ("`two\n  lines`", "`two\n  lines`"),
        (r"`\`  ${a}  \${  `", r"`\`  ${a}  \${  `"),
        ('a.match(/ [/"] \\/ `/g) / b', 'a.match(/ [/"] \\/ `/g)/b'),
        ("return /a  b/.test(c)", "return/a  b/.test(c)"),
        ("a / b / c", "a/b/c"),
        ("a + +b - -c", "a+ +b- -c"),
        ("if (a) return b;\nelse throw c", "if(a)return b;else throw c"),
        ("f(() => { return MAX_ROWS; })", "f(()=>{return MARO})"),
        (
            "a = { ...LONG_DAY, b: c.TEXT_NODE, d: `MAX_ROWS ${MAX_ROWS}` }",
            "a={...LODA,b:c.TEXT_NODE,d:`MAX_ROWS ${MARO}`}",
        ),
        # A statement can end at these line breaks.
        ("const a = b\nconst c = d", "let a=b\nlet c=d"),
        ("a = b\n(c)", "a=b\n(c)"),
        ("return\na", "return\na"),
        ("a = () => {}\n[1].map(b)", "a=()=>{}\n[1].map(b)"),
        ("a++\n++b", "a++\n++b"),
        # It cannot end at these.
        ("a =\n  b\n  ? c\n  : d", "a=b?c:d"),
        ("a\n  .b()\n", "a.b()"),
        ("", ""),
    ],
)
def test_scripts(source: str, compacted: str) -> None:
    assert compact_script(source) == compacted
    assert compact_script(compacted) == compacted


@pytest.mark.parametrize(
    ("source", "compacted"),
    [
        ("/* a */\na > b , c d:hover { e: f, g; h: calc(1px + 2px); }\n", "a > b ,c d:hover{e:f,g;h:calc(1px + 2px)}"),
        ("@media (a: b) { c { d: e } }", "@media (a:b){c{d:e}}"),
        (':root:not([data-theme="light"]) .a + .b { c: d }', ':root:not([data-theme="light"]) .a + .b{c:d}'),
    ],
)
def test_styles(source: str, compacted: str) -> None:
    assert compact_style(source) == compacted
