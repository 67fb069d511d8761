"""The five protocol revisions, each defined as changes to the one before. No other module names their dates."""

from __future__ import annotations

from dataclasses import dataclass, replace

from .eras import STATEFUL, STATELESS, Era

LISTEN_METHOD = "subscriptions/listen"
# The extension io.modelcontextprotocol/events, which is not tied to a revision.
EVENT_METHODS = "events/list events/subscribe events/unsubscribe events/poll"


@dataclass(frozen=True, slots=True, eq=False)
class Revision:
    """The methods and features of a revision. Ask it instead of comparing names. Hashes by identity."""

    name: str
    era: Era
    requests: frozenset[str]
    notifications: frozenset[str]
    features: frozenset[str]

    def supports(self, feature: str) -> bool:
        """Return whether this revision has *feature*."""
        return feature in self.features

    def amend(
        self,
        name: str,
        *,
        era: Era | None = None,
        add_methods: str = "",
        drop_methods: str = "",
        add_features: str = "",
        drop_features: str = "",
    ) -> Revision:
        """Return the next revision. Raise ValueError for dropping what is missing or adding what is present."""
        dropped, lost = frozenset(drop_methods.split()), frozenset(drop_features.split())
        missing = (dropped - self.requests - self.notifications) | (lost - self.features)
        if missing:
            raise ValueError(f"{name} drops what {self.name} does not have: {', '.join(sorted(missing))}")
        added, gained = frozenset(add_methods.split()), frozenset(add_features.split())
        if double := added & (self.requests | self.notifications) | gained & self.features:
            raise ValueError(f"{name} adds what {self.name} already has: {', '.join(sorted(double))}")
        notes = frozenset(method for method in added if method.startswith("notifications/"))
        return replace(
            self,
            name=name,
            era=era or self.era,
            requests=(self.requests - dropped) | (added - notes),
            notifications=(self.notifications - dropped) | notes,
            features=(self.features - lost) | gained,
        )


R2024_11_05 = Revision(
    "2024-11-05",
    STATEFUL,
    requests=frozenset(
        "initialize ping tools/list tools/call prompts/list prompts/get resources/list resources/templates/list"
        " resources/read resources/subscribe resources/unsubscribe completion/complete logging/setLevel"
        f" {EVENT_METHODS}".split()
    ),
    notifications=frozenset(
        "notifications/initialized notifications/cancelled notifications/progress"
        " notifications/roots/list_changed".split()
    ),
    features=frozenset(),
)
R2025_03_26 = R2024_11_05.amend(
    "2025-03-26", add_features="batches resumption tool.annotations audio progress.message completions"
)
R2025_06_18 = R2025_03_26.amend(
    "2025-06-18",
    # The methods of the extension io.modelcontextprotocol/skills. It is defined for 2026-07-28, but needs nothing of that
    # revision, and many clients that could read skills still use these two.
    add_methods="skills/list skills/get resources/directory/read",
    drop_features="batches",
    add_features="version.header structured titles metadata last.modified resource.links elicitation skills",
)
# The experimental tasks of this revision are not supported.
R2025_11_25 = R2025_06_18.amend(
    "2025-11-25",
    add_features="icons implementation.details stream.polling url.elicitation elicitation.ids sampling.tools",
)
R2026_07_28 = R2025_11_25.amend(
    "2026-07-28",
    era=STATELESS,
    # The methods of tasks belong to the extension io.modelcontextprotocol/tasks.
    add_methods=f"server/discover {LISTEN_METHOD} tasks/get tasks/update tasks/cancel",
    drop_methods="initialize ping logging/setLevel resources/subscribe resources/unsubscribe"
    " notifications/initialized notifications/progress notifications/roots/list_changed",
    drop_features="resumption stream.polling elicitation.ids",
    add_features="cache.hints extensions",
)

REVISIONS = (R2024_11_05, R2025_03_26, R2025_06_18, R2025_11_25, R2026_07_28)
REVISIONS_BY_NAME = {revision.name: revision for revision in REVISIONS}
STATEFUL_REVISIONS = {revision.name: revision for revision in REVISIONS if revision.era is STATEFUL}
STATELESS_REVISIONS = {revision.name: revision for revision in REVISIONS if revision.era is STATELESS}
NEWEST_STATEFUL_REVISION = R2025_11_25
# The revision of a stateful request without a version header (MCP 2025-06-18, Protocol Version Header).
DEFAULT_REVISION = R2025_03_26


def negotiate_revision(requested: str) -> Revision:
    """Return the revision for an ``initialize`` result: the requested one, or else the newest stateful one."""
    return STATEFUL_REVISIONS.get(requested, NEWEST_STATEFUL_REVISION)
