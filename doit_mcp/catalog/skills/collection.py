"""The skills and guides of this server, read from the Markdown files of the package."""

from __future__ import annotations

from importlib.resources import files
from typing import NamedTuple

from .frontmatter import split_document
from .skill import MANIFEST, Skill

DOCUMENTS = files(__package__) / "documents"
IMPORT_SET = "import-set"
"""The member of the front matter's metadata that marks skills for clients that import only a few."""


class Guide(NamedTuple):
    """A reference text for models (Markdown)."""

    name: str
    title: str
    description: str
    text: str


def _read(*path: str) -> str:
    return DOCUMENTS.joinpath(*path).read_text("utf-8")


def _read_guide(name: str, title: str, description: str) -> Guide:
    return Guide(name, title, description, _read("guides", f"{name}.md"))


READING_GUIDE = _read_guide(
    "reading-answers",
    "How to read cost answers",
    "What period, final days, currency, basis and missing parts of an answer mean.",
)
QUERY_GUIDE = _read_guide(
    "queries",
    "How to write queries",
    "How to write periods, groups, filters, metrics and forecasts for run_query, with examples.",
)
TERMS_GUIDE = _read_guide(
    "terms",
    "Terms of DoiT Cloud Intelligence",
    "What allocations, anomalies, budgets, commitments, metrics and other terms mean.",
)


def _read_skill(name: str, *guides: Guide) -> Skill:
    """Return the skill *name*, with *guides* as its reference files. Raise ValueError."""
    text = _read(name, MANIFEST)
    front_matter, _ = split_document(text)
    references = {f"references/{guide.name}.md": guide.text.encode() for guide in guides}
    return Skill(front_matter, {MANIFEST: text.encode(), **references})


SKILLS: tuple[Skill, ...] = (
    _read_skill("month-end-review", READING_GUIDE, TERMS_GUIDE),
    _read_skill("anomaly-triage", READING_GUIDE, QUERY_GUIDE),
    _read_skill("budget-setup", READING_GUIDE, QUERY_GUIDE),
    _read_skill("commitment-decision", READING_GUIDE, TERMS_GUIDE),
    _read_skill("weekly-savings-plan", READING_GUIDE),
    _read_skill("cloudflow-authoring"),
)
SKILLS_BY_NAME = {skill.name: skill for skill in SKILLS}


def skill_body(name: str) -> str:
    """Return the Markdown of the skill *name*, without its front matter."""
    return split_document(SKILLS_BY_NAME[name].files[MANIFEST].decode())[1]


CLOUDFLOW_GUIDE = Guide(
    "cloudflow",
    "How to write CloudFlow automations",
    "The steps from draft to test, the form of bundles, and the rules for code in flows.",
    skill_body("cloudflow-authoring"),
)
GUIDES: tuple[Guide, ...] = (QUERY_GUIDE, TERMS_GUIDE, READING_GUIDE, CLOUDFLOW_GUIDE)
