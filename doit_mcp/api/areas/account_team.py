"""Account team: the customer's contacts at DoiT."""

from typing import Annotated, TypedDict

from ...protocol.json_schema import JsonObject
from ..operation import Area, get


class Team(TypedDict, total=False):
    """The account team."""

    accountManagers: Annotated[list[JsonObject], "Each with name, role, email and calendlyLink (to book a meeting)."]


class AccountTeam(Area):
    """Account team: DoiT's account managers, contacts, who to ask, booking a meeting."""

    @get("/customers/v1/accountTeam", items="accountManagers")
    async def list_account_team(self) -> Annotated[JsonObject, Team]:
        """List the customer's account team at DoiT, with email addresses and booking links."""
        ...
