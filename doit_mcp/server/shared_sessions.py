"""Sessions of several replicas: each is a record in Redis; here is only what runs or listens here (issue 6)."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from weakref import WeakValueDictionary

from ..protocol.jsonrpc import INVALID_PARAMS, MAX_ID, Notification, Response
from ..protocol.request_metadata import Caller, introduced
from ..protocol.revisions import BY_NAME
from ..redis_state.errors import Away
from ..redis_state.message_bus import Body, Bus
from ..redis_state.session_records import Found, Records
from .client_requests import TOO_LARGE, is_too_large
from .message_queue import Outbox
from .sessions import Session, new_id

URI = "uri:"
# Numbers of questions: those of the replica are in front of so many bits.
QUESTION_BITS = 32
QUESTION = re.compile(r"doit-([0-9]{1,32})")
KEPT_AT_ONCE = 200


@dataclass(slots=True)
class Inbox:
    """The way to a stream that another replica holds."""

    bus: Bus
    kind: str
    holder: str
    id: str

    def put(self, data: bytes) -> None:
        """Have the holder send it."""
        self.bus.tell(self.holder, f"{self.kind} out", id=self.id, data=data.decode())

    async def room(self) -> None:
        """Wait until less waits for Redis: what was promised to a client is not thrown away."""
        await self.bus.sender.room()


class SharedSessions:
    """Sessions of one *kind*, in records that all replicas read. Objects live here as long as somebody uses them.

    Where *held*, a session needs the replica at which it was opened, which holds its stream. *ended* hears of every
    session that ended, wherever. The record alone says whether a session is there: who keeps something running finds
    out when it is gone.
    """

    def __init__(
        self,
        records: Records,
        bus: Bus,
        kind: str,
        *,
        held: bool = False,
        ended: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._records, self._bus, self._kind, self._held, self._ended = records, bus, kind, held, ended
        self._here: WeakValueDictionary[str, Session] = WeakValueDictionary()
        handlers = {
            "end": self._on_end,
            "saved": self._on_saved,
            "cancel": self._on_cancel,
            "answer": self._on_answer,
            "listens": self._on_listens,
            "out": self._on_out,
        }
        for name, handler in handlers.items():
            bus.on(f"{kind} {name}", handler)
        bus.on_own(f"{kind} listens", self._on_own_listens)
        bus.at_each_beat(self._keep)

    def __len__(self) -> int:
        return len(self._here)

    async def open(self, owner: str, caller: Caller, outbox: Outbox | None = None) -> Session:
        """A new session; the owner's least used ones make room for it everywhere."""
        session = self._made(new_id(), owner, caller)
        session.outbox = outbox
        written = self._fields(session)
        # Before anything can be sent to it.
        self._here[session.id] = session
        gone = await self._records.open(session.id, owner, written, held=self._held)
        session.elsewhere = Others(self, 1, written)
        for id in gone:
            self._end(id)
            self._bus.broadcast(f"{self._kind} end", id=id)
        return session

    def _made(self, id: str, owner: str, caller: Caller) -> Session:
        # A question's number tells who asked, and begins anywhere: two objects of one session must not meet.
        start = (int(self._bus.id, 16) << QUESTION_BITS) + secrets.randbits(QUESTION_BITS - 1)
        return Session(id, owner, caller, 0.0, questions=start)

    async def find(self, id: str, owner: str) -> Session | None:
        """The session, as the record has it now."""
        return await self._found(id, owner, use=True)

    async def _found(self, id: str, owner: str, *, use: bool) -> Session | None:
        known = self._here.get(id)
        version = known.elsewhere.version if known is not None and isinstance(known.elsewhere, Others) else 0
        found = await self._records.find(id, owner, version, use=use)
        if found is None or not found.alive:
            return None
        # Somebody else may have made it while the record was read.
        session = self._here.get(id)
        if session is None:
            if found.fields is None:
                return await self._found(id, owner, use=use)
            session = self._made(id, owner, _caller(found.fields))
            session.elsewhere = Others(self, 0, {})
            if found.holder and found.holder != self._bus.id:
                session.away = Inbox(self._bus, self._kind, found.holder, id)
            self._here[id] = session
        self._refresh(session, found)
        return session

    def _refresh(self, session: Session, found: Found) -> None:
        others = session.elsewhere
        if found.fields is None or not isinstance(others, Others) or found.version <= others.version:
            return
        fields = found.fields
        others.version, others.written = found.version, {name: fields[name] for name in fields if name != "id"}
        session.caller, session.level = _caller(fields), fields["level"]
        session.subscriptions = frozenset(uri for name, uri in fields.items() if name.startswith(URI))
        if not session.unsaved:
            session.customer = fields["customer"]

    async def close(self, session: Session) -> None:
        """End the session, here at once and then everywhere."""
        self._end(session.id)
        session.end()
        if self._held:
            # Its stream is gone, whether or not Redis can be told now.
            self._bus.sender.put(self._records.closing(session.id, session.owner))
        else:
            await self._records.close(session.id, session.owner)
        self._bus.broadcast(f"{self._kind} end", id=session.id)

    def _end(self, id: str) -> None:
        session = self._here.pop(id, None)
        if session is not None:
            session.end()
        self._ended(id)

    def end_all(self) -> None:
        """Stop what runs here; the sessions go on elsewhere (shutdown)."""
        for session in list(self._here.values()):
            session.end()

    async def save(self, session: Session, others: Others) -> None:
        """Write down what differs from what is written."""
        now = self._fields(session)
        put = {name: value for name, value in now.items() if others.written.get(name) != value}
        gone = others.written.keys() - now.keys()
        if not put and not gone:
            return
        try:
            version = await self._records.change(session.id, session.owner, put, gone)
        except Away:
            # The client is told that nothing was changed, so the record is read before the session is used again.
            others.version, session.unsaved = 0, False
            raise
        if version is None:
            self._end(session.id)
            return
        others.written = now
        # If others changed something in between, it is still to be read.
        if version == others.version + 1:
            others.version = version
        self._bus.broadcast(f"{self._kind} saved", id=session.id)

    def _fields(self, session: Session) -> dict[str, Any]:
        caller = session.caller
        fields = {
            "caller": [caller.revision.name, caller.client, caller.capabilities],
            "level": session.level,
            "customer": session.customer,
        }
        return fields | {URI + self._records.name(uri): uri for uri in session.subscriptions}

    def pass_on(self, session: Session, item: Notification | Response) -> None:
        """Tell those whom it may concern of a message that nobody here waits for: who asked, or everybody."""
        if isinstance(item, Notification):
            id = item.params.get("requestId")
            # What can be no id stops nothing anywhere.
            if isinstance(id, (str, int)) and len(str(id)) <= MAX_ID:
                self._bus.broadcast(f"{self._kind} cancel", id=session.id, request=id)
        elif (asker := _asker(item.id)) is not None and asker != self._bus.id:
            answer = [item.id, item.result, item.error]
            if is_too_large(answer):
                # The one who asked does not wait in vain, and Redis holds little.
                answer = [item.id, None, {"code": INVALID_PARAMS, "message": TOO_LARGE}]
            self._bus.tell(asker, f"{self._kind} answer", id=session.id, answer=answer)

    def listens(self, session: Session, others: Others) -> None:
        """Streams of this session elsewhere end: each message goes to one of them (Multiple Connections)."""
        if self._bus.broadcast(f"{self._kind} listens", id=session.id):
            others.beginning += 1

    async def _keep(self) -> None:
        """What is in use does not expire; what is gone from Redis ends."""
        busy = [session for session in list(self._here.values()) if session.busy and session.elsewhere is not None]
        for some in (busy[start : start + KEPT_AT_ONCE] for start in range(0, len(busy), KEPT_AT_ONCE)):
            kept = await self._records.keep((session.id, session.owner) for session in some)
            for session, there in zip(some, kept, strict=True):
                if not there:
                    self._end(session.id)

    async def _on_end(self, body: Body) -> None:
        self._end(body["id"])

    async def _on_saved(self, body: Body) -> None:
        session = self._here.get(body["id"])
        if session is not None:
            await self._found(session.id, session.owner, use=False)

    async def _on_cancel(self, body: Body) -> None:
        session = self._here.get(body["id"])
        if session is not None:
            session.cancel(body["request"])

    async def _on_answer(self, body: Body) -> None:
        session = self._here.get(body["id"])
        if session is not None:
            session.answered(Response(*body["answer"]))

    async def _on_listens(self, body: Body) -> None:
        session = self._here.get(body["id"])
        if session is None or session.outbox is None:
            return
        # What is read before the word of a stream here is older than that stream.
        if not (isinstance(session.elsewhere, Others) and session.elsewhere.beginning):
            session.outbox.close()

    async def _on_own_listens(self, body: Body) -> None:
        session = self._here.get(body["id"])
        if session is not None and isinstance(session.elsewhere, Others):
            session.elsewhere.beginning = max(0, session.elsewhere.beginning - 1)

    async def _on_out(self, body: Body) -> None:
        session = self._here.get(body["id"])
        if session is not None and session.outbox is not None:
            session.outbox.put(body["data"].encode())


class Others:
    """Implements :class:`doit_mcp.server.sessions.Elsewhere`: which version of its record a session here has.

    *beginning* counts the streams that began here and whose word was not yet read among those of others.
    """

    __slots__ = ("_sessions", "beginning", "version", "written")

    def __init__(self, sessions: SharedSessions, version: int, written: dict[str, Any]) -> None:
        self._sessions, self.version, self.written = sessions, version, written
        self.beginning = 0

    async def save(self, session: Session) -> None:
        """Write down what has changed."""
        await self._sessions.save(session, self)

    def receive(self, session: Session, item: Notification | Response) -> None:
        """Pass a message on."""
        self._sessions.pass_on(session, item)

    def listens(self, session: Session) -> None:
        """End streams elsewhere."""
        self._sessions.listens(session, self)


def _asker(id: object) -> str | None:
    """The replica that put the question with this id."""
    found = QUESTION.fullmatch(id) if isinstance(id, str) else None
    return None if found is None else f"{int(found[1]) >> QUESTION_BITS:016x}"


def _caller(fields: dict[str, Any]) -> Caller:
    revision, client, capabilities = fields["caller"]
    # A record of an older release can hold more than is kept today.
    return introduced(BY_NAME[revision], client, capabilities)
