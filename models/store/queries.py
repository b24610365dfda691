"""Questions of the API, the command line and the status page, by SQLModel. Reads only; raises Unavailable when
nobody answers.
"""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Executable, Text, cast, func, or_, select, tuple_
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as NoConnectionLeft
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel import col

from models.deliveries import Provider
from models.events import decode_event
from models.heartbeats import Watched
from models.maintenance import MaintenanceWindow
from models.review import Review
from models.state import Incident
from models.statuspage import Publication
from models.step import Logged
from models.store import tables
from models.store.codec import INCIDENT, REVIEW, clean, indexed
from models.store.connection import Database
from models.store.errors import Unavailable, translated, unavailable
from models.store.figures import figures
from models.store.maintenance import Windows
from models.store.rows import DeadlineRow, DeliveryRow, Figures, Handled, IncidentFilter, Position, ReviewOf, Ticket

_I, _E, _R, _A = tables.IncidentRow, tables.EventRow, tables.ReviewRow, tables.ActionItemRow
_D, _L, _P, _T = tables.DeliveryRow, tables.DeadlineRow, tables.PublicationRow, tables.ReceiptRow
_H = tables.HeartbeatRow
_WATCHED = tuple(Watched.__dataclass_fields__)
_SHOWN_FOR = timedelta(days=92)
"""How long the status page remembers resolved incidents."""
_NOW = func.clock_timestamp()
_STATE, _REVIEW_STATE = cast(_I.state, Text), cast(_R.state, Text)
_PAGE = col(_D.body)["page"]
_DELIVERIES = select(
    col(_D.id),
    col(_D.incident_id),
    col(_D.provider),
    col(_D.kind),
    col(_D.status),
    col(_D.attempts),
    col(_D.created_at),
    col(_D.next_at),
    col(_D.ended_at),
    col(_D.recorded),
    col(_D.detail),
    _PAGE["level"].as_string(),
    _PAGE["test"].as_string(),
)


class Queries:
    """Satisfies the HTTP side's port `Reads`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def now(self) -> datetime:
        """The database's present."""
        [(now,)] = await self._all(select(_NOW))
        assert isinstance(now, datetime)
        return now

    async def incidents(self, which: IncidentFilter, after: Position | None, limit: int) -> list[Incident]:
        """Newest first, from behind `after`."""
        query = select(_STATE).order_by(col(_I.opened_at).desc(), col(_I.id).desc()).limit(limit)
        if which.statuses is not None:
            query = query.where(col(_I.status).in_(which.statuses))
        if which.severities is not None:
            query = query.where(col(_I.severity).in_([severity.value for severity in which.severities]))
        if which.service is not None:
            query = query.where(col(_I.service) == clean(which.service))
        if which.parent is not None:
            query = query.where(col(_I.parent) == indexed(which.parent))
        if after is not None:
            place = tuple_(col(_I.opened_at), col(_I.id))
            query = query.where(place < tuple_(after.opened_at, after.incident_id))
        return [INCIDENT.validate_json(state) for (state,) in await self._all(query)]

    async def incident_by_number(self, number: str) -> Incident | None:
        """As people name it."""
        return await self._incident(select(_STATE).where(col(_I.number) == clean(number)))

    async def incident_by_id(self, incident_id: uuid.UUID) -> Incident | None:
        """One generation."""
        return await self._incident(select(_STATE).where(col(_I.id) == incident_id))

    async def timeline(self, incident_id: uuid.UUID) -> list[Logged]:
        """The incident's log, in order."""
        query = (
            select(col(_E.seq), col(_E.at), cast(_E.body, Text))
            .where(col(_E.owner_id) == incident_id, col(_E.stream) == "incident")
            .order_by(col(_E.seq))
        )
        return [Logged(seq, at, decode_event(body)) for seq, at, body in await self._all(query)]

    async def deliveries(self, incident_id: uuid.UUID | None, limit: int) -> list[DeliveryRow]:
        """Newest first; of one incident, or of all."""
        query = _DELIVERIES.order_by(col(_D.seq).desc()).limit(limit)
        if incident_id is not None:
            query = query.where(col(_D.incident_id) == incident_id)
        return [_delivery(row) for row in await self._all(query)]

    async def delivery(self, delivery_id: uuid.UUID) -> DeliveryRow | None:
        """One delivery."""
        rows = await self._all(_DELIVERIES.where(col(_D.id) == delivery_id))
        return _delivery(rows[0]) if rows else None

    async def deadlines(self, incident_id: uuid.UUID | None, limit: int) -> list[DeadlineRow]:
        """Of an incident (and its review) the whole ledger; of None those still armed, soonest first."""
        query = select(
            col(_L.id), col(_L.owner_id), col(_L.name), col(_L.due_at), col(_L.status), col(_L.ended_at)
        ).limit(limit)
        if incident_id is None:
            armed = tables.ARMED
            query = query.where(armed).order_by(col(_L.next_at), col(_L.id))
        else:
            query = query.where(col(_L.owner_id) == incident_id).order_by(col(_L.due_at), col(_L.id))
        return [
            DeadlineRow(id=found, incident_id=owner, name=name, due_at=due_at, status=status, ended_at=ended_at)
            for found, owner, name, due_at, status, ended_at in await self._all(query)
        ]

    async def postmortems(self) -> list[ReviewOf]:
        """All that was ever owed, soonest due first."""
        query = select(_REVIEW_STATE).where(col(_R.postmortem_status).is_not(None)).order_by(col(_R.postmortem_due_at))
        reviews = [REVIEW.validate_json(state) for (state,) in await self._all(query)]
        return [ReviewOf(it.incident_id, it.number, it.postmortem) for it in reviews if it.postmortem is not None]

    async def action_items(self, incident_id: uuid.UUID | None) -> list[ReviewOf]:
        """Of one incident, or of all; soonest due first."""
        owed = select(col(_A.incident_id)).distinct()
        mine = col(_R.incident_id).in_(owed) if incident_id is None else col(_R.incident_id) == incident_id
        reviews = [REVIEW.validate_json(state) for (state,) in await self._all(select(_REVIEW_STATE).where(mine))]
        items = [
            (item.due_at, str(item.id), ReviewOf(it.incident_id, it.number, item))
            for it in reviews
            for item in _items(it)
        ]
        return [found for _, _, found in sorted(items, key=lambda item: item[:2])]

    async def action_item(self, item_id: uuid.UUID) -> ReviewOf | None:
        """One action item."""
        query = select(_REVIEW_STATE).join(_A, col(_A.incident_id) == col(_R.incident_id)).where(col(_A.id) == item_id)
        for (state,) in await self._all(query):
            review = REVIEW.validate_json(state)
            return ReviewOf(review.incident_id, review.number, review.items[str(item_id)])
        return None

    async def heartbeats(self) -> list[Watched]:
        """What is known of senders' heartbeats, by sender and name."""
        rows = await self._all(select(*(col(getattr(_H, name)) for name in _WATCHED)).order_by(_H.sender, _H.name))
        return [Watched(**dict(zip(_WATCHED, row, strict=True))) for row in rows]

    async def handled(self, signal_id: uuid.UUID) -> Handled | None:
        """None until the signal was handled."""
        rows = await self._all(select(col(tables.InboxRow.changed)).where(col(tables.InboxRow.signal_id) == signal_id))
        return Handled(rows[0][0]) if rows else None

    async def tickets(self, incidents: Collection[uuid.UUID]) -> dict[uuid.UUID, Ticket]:
        """Those whose address the ticket system has answered, by incident."""
        query = select(col(_T.incident_id), col(_T.refs)).where(
            col(_T.incident_id).in_(incidents), col(_T.provider) == Provider.TICKET.value
        )
        return {
            owner: Ticket(refs["ticket_url"], refs.get("ticket"))
            for owner, refs in await self._all(query)
            if refs.get("ticket_url")
        }

    async def publications(self) -> list[Publication]:
        """What the status page says: all of incidents that are open, and three months of the others; oldest first."""
        told = [getattr(_P, name) for name in Publication.__dataclass_fields__]
        recent = or_(col(_P.at) > _NOW - _SHOWN_FOR, col(_I.status) != "resolved")
        query = select(*told).outerjoin(_I, col(_I.id) == col(_P.incident_id)).where(recent)
        return [Publication(*row) for row in await self._all(query.order_by(col(_P.at), col(_P.delivery_id)))]

    async def windows(self) -> list[MaintenanceWindow]:
        """Maintenance that is planned, in force, or was a month ago; by its start."""
        return await Windows(self._database).lately()

    async def window(self, window_id: uuid.UUID) -> MaintenanceWindow | None:
        """One of them."""
        return await Windows(self._database).one(window_id)

    async def figures(self) -> Figures:
        """What the metrics show."""
        async with self._reading() as connection:
            return await figures(connection)

    async def _incident(self, query: Executable) -> Incident | None:
        rows = await self._all(query)
        return INCIDENT.validate_json(rows[0][0]) if rows else None

    async def _all(self, query: Executable) -> list[Any]:
        async with self._reading() as connection:
            return list((await connection.execute(query)).all())

    @asynccontextmanager
    async def _reading(self) -> AsyncIterator[AsyncConnection]:
        place = self._database.place
        try:
            async with self._database.engine.connect() as connection:
                yield connection
        except DBAPIError as error:
            with translated(place):
                raise (error.orig or error) from None
        except (NoConnectionLeft, OSError) as error:
            raise Unavailable(unavailable(place, error)) from error


def _items(review: Review) -> list[Any]:
    return list(review.items.values())


def _delivery(row: Any) -> DeliveryRow:
    found, incident_id, provider, kind, status, attempts, created_at, next_at, ended_at, *rest = row
    recorded, detail, level, test = rest
    return DeliveryRow(
        id=found,
        incident_id=incident_id,
        provider=provider,
        kind=kind,
        status=status,
        attempts=attempts,
        created_at=created_at,
        next_at=next_at if status in {"pending", "sending"} else None,
        ended_at=ended_at,
        recorded=recorded,
        detail=detail,
        level=level,
        test=test == "true",
    )
