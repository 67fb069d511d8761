"""The skills and guides of this server as search results and documents, for clients that do not read resources."""

from __future__ import annotations

from dataclasses import dataclass

from ...protocol.jsonrpc import JsonObject
from ..skills.collection import GUIDES, SKILLS, skill_body
from .ranking import query_words, score

MAX_TEXT_RESULTS = 3
TEXT_KINDS = ("skill", "guide")
KIND_WORDS = "skill guide method playbook"


@dataclass(frozen=True, slots=True)
class Text:
    """A skill or guide, with its id in search results."""

    id: str
    title: str
    description: str
    text: str

    def search_result(self, url: str) -> JsonObject:
        """Return the text as a search result."""
        return {"id": self.id, "title": self.title, "url": url}

    def document(self, url: str) -> JsonObject:
        """Return the text as a document."""
        kind = self.id.partition(":")[0]
        return {"id": self.id, "title": self.title, "text": self.text, "url": url, "metadata": {"kind": kind}}


def _skill_text(name: str, description: str) -> Text:
    title = name.replace("-", " ").capitalize()
    return Text(f"skill:{name}", f"Skill: {title}", description, skill_body(name))


TEXTS: tuple[Text, ...] = (
    *(_skill_text(skill.name, skill.frontmatter["description"]) for skill in SKILLS),
    *(Text(f"guide:{guide.name}", f"Guide: {guide.title}", guide.description, guide.text) for guide in GUIDES),
)
TEXTS_BY_ID = {text.id: text for text in TEXTS}


def matches_title(text: Text, words: list[str]) -> bool:
    """Return whether *words* name a text: all are in its title, which has no more words.

    With fewer words, as in "savings plan", a query more likely asks for what the customer has.
    """
    title = text.title.partition(": ")[2]
    return len(words) >= max(2, len(query_words(title))) and score(words, title, "", "").coverage == 1.0


def find_texts(words: list[str], *, is_only_result: bool = False) -> list[Text]:
    """Return the best texts that match all *words* by title and description; any by title if *is_only_result*.

    A single word is not enough, because it usually means the customer's objects. All texts match "skills" and "guides".
    """
    if words and all(_is_kind_word(word) for word in words):
        return list(TEXTS)
    if is_only_result:
        scored = [(score(words, text.title, "", ""), text) for text in TEXTS]
    else:
        scored = [(score(words, text.title, KIND_WORDS, text.description), text) for text in TEXTS] if words[1:] else []
    matching = [
        (found.points, text) for found, text in scored if found.points and (is_only_result or found.coverage == 1.0)
    ]
    return [text for _, text in sorted(matching, key=lambda pair: -pair[0])[:MAX_TEXT_RESULTS]]


def _is_kind_word(word: str) -> bool:
    return word.removesuffix("s") in KIND_WORDS.split()
