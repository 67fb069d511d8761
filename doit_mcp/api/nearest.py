"""Suggestions for names that do not exist: the most similar ones, by spelling and by common short names."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from types import MappingProxyType

from ..protocol.json_schema import short_json
from ..resilience.compute_thread import run_by_steps
from .errors import ApiError

MIN_PARTIAL_CHARACTERS = 4
"""Shorter texts occur in too many names by chance."""
MAX_DISTANCE_FROM_BEST = 20
"""Points of a score of 100: suggestions that are farther below the best one are left out."""
SCORERS = (("ratio", 60, 1.0), ("token_sort_ratio", 60, 1.0), ("partial_ratio", 80, 0.9))
"""How similarity is measured: the scorer in rapidfuzz.fuzz, the lowest score that counts (of 100), and its weight. The
scorer for parts of names is the last. rapidfuzz has 40 modules that only unknown names need, so functions import it.
"""
MAX_LISTED_VALUES = 12
"""Maximum values that an error lists if none is similar."""
MAX_COMPARED_CHARACTERS = 200
"""Characters of a name that are compared; the rest is ignored."""
CANDIDATES_PER_CALL = 500
"""Candidates that one call of a C function compares, because other threads wait until it returns."""
STEPS_PER_CANDIDATE = 10

ALIASES = MappingProxyType(
    {
        "ec2": "elastic compute cloud",
        "s3": "simple storage service",
        "rds": "relational database service",
        "eks": "elastic container service for kubernetes",
        "ecs": "elastic container service",
        "ecr": "ec2 container registry",
        "ebs": "elastic block store",
        "efs": "elastic file system",
        "elb": "elastic load balancing",
        "emr": "elastic mapreduce",
        "sqs": "simple queue service",
        "sns": "simple notification service",
        "ses": "simple email service",
        "vpc": "virtual private cloud",
        "kms": "key management service",
        "ddb": "dynamodb",
        "gce": "compute engine",
        "gcs": "cloud storage",
        "gke": "kubernetes engine",
        "bq": "bigquery",
        "pubsub": "cloud pub/sub",
        "gcf": "cloud functions",
        "aks": "azure kubernetes service",
        "vm": "virtual machines",
        "vms": "virtual machines",
        "azure sql": "sql database",
        "blob storage": "storage",
        "adf": "data factory",
        "aoai": "azure openai",
    }
)
"""Short names of services in lower case, and what their names in bills contain."""

_WORD = re.compile(r"[a-z0-9]+")
_CAPITAL_IN_WORD = re.compile(r"(?<=[a-z])(?=[A-Z])")


def nearest_values(wanted: str, candidates: Iterable[str], limit: int = 5) -> list[str]:
    """Return up to *limit* *candidates* that *wanted* probably means, the most similar first."""
    from rapidfuzz import fuzz, utils

    folded = utils.default_process(_CAPITAL_IN_WORD.sub(" ", wanted[:MAX_COMPARED_CHARACTERS]))
    long_forms = _long_forms(folded)
    scores: dict[str, float] = {}
    for choices in _split_candidates(candidates):
        scores |= _score_choices(folded, choices)
        for name in long_forms:
            # A long form that occurs literally beats a similar spelling; the shortest name that contains it is best.
            scores |= {value: 100.0 + fuzz.ratio(name, text) for value, text in choices.items() if name in text}
    least = max(scores.values(), default=0.0) - MAX_DISTANCE_FROM_BEST
    return sorted((value for value in scores if scores[value] >= least), key=lambda value: (-scores[value], value))[
        :limit
    ]


async def find_nearest(wanted: str, candidates: Collection[str], limit: int = 5) -> list[str]:
    """Return the same as :func:`nearest_values`, without blocking the event loop for many candidates."""
    return await run_by_steps(STEPS_PER_CANDIDATE * len(candidates), nearest_values, wanted, candidates, limit)


def _split_candidates(candidates: Iterable[str]) -> Iterator[dict[str, str]]:
    """Yield the candidates in batches, each with the text that is compared."""
    from rapidfuzz.utils import default_process

    remaining = iter(candidates)
    while part := list(islice(remaining, CANDIDATES_PER_CALL)):
        yield {value: default_process(value[:MAX_COMPARED_CHARACTERS]) for value in part}


def _score_choices(folded: str, choices: Mapping[str, str]) -> dict[str, float]:
    """Return the choices that are spelled like *folded*, with a score of up to 100."""
    from rapidfuzz import fuzz, process

    scores: dict[str, float] = {}
    for scorer, minimum, weight in SCORERS if len(folded) >= MIN_PARTIAL_CHARACTERS else SCORERS[:-1]:
        # As (text, score, value): values are the keys of a mapping.
        for _, score, value in process.extract(
            folded, choices, scorer=getattr(fuzz, scorer), limit=None, score_cutoff=minimum
        ):
            scores[value] = max(scores.get(value, 0.0), weight * score)
    return scores


def _long_forms(folded: str) -> list[str]:
    """Return the long forms of the short names that occur in *folded*."""
    from rapidfuzz.utils import default_process

    words = set(_WORD.findall(folded))
    return [
        default_process(name) for short, name in ALIASES.items() if short in words or (" " in short and short in folded)
    ]


def unknown_value_error(argument: str, kind: str, wanted: str, candidates: Collection[str]) -> ApiError:
    """Return the error for a value that does not exist, with similar values or the available ones."""
    problem = f"{argument}: the data has no {kind} {short_json(wanted)}"
    if suggestions := nearest_values(wanted, candidates):
        return ApiError(f"{problem}. Did you mean {_list_values(suggestions)}?", kind="argument")
    if not candidates:
        return ApiError(f"{problem}; it has none at all", kind="argument")
    return ApiError(f"{problem}. Available: {list_names(sorted(candidates))}", kind="argument")


async def make_unknown_value(argument: str, kind: str, wanted: str, candidates: Collection[str]) -> ApiError:
    """Return the same as :func:`unknown_value_error`, without blocking the event loop for many candidates."""
    return await run_by_steps(
        STEPS_PER_CANDIDATE * len(candidates), unknown_value_error, argument, kind, wanted, candidates
    )


def list_names(names: Sequence[str]) -> str:
    """Return the first names, shortened, and how many more there are; "none" if *names* is empty."""
    more = f" and {len(names) - MAX_LISTED_VALUES} more" if len(names) > MAX_LISTED_VALUES else ""
    return f"{_list_values(names[:MAX_LISTED_VALUES])}{more}" if names else "none"


def _list_values(values: Iterable[str]) -> str:
    return ", ".join(map(short_json, values))
