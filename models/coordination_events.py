"""Events of how people work together on an incident: updates, roles, checklists. Facts like those of
models/events.py, whose union they belong to; what they change: models/coordination.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from models.role import Role


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateExpected:
    """By when the next update is due, and the status page's; None where the policy wants none. POLICY 12."""

    kind: Literal["update_expected"] = "update_expected"
    reminder_due: datetime | None
    update_due: datetime | None
    publication_due: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateReminded:
    """Those who work on it were reminded of the update that is due soon."""

    kind: Literal["update_reminded"] = "update_reminded"
    update_due: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateMissed:
    """An update did not come. `missed` counts those in a row, `level` was told of it, `update_due` is the next."""

    kind: Literal["update_missed"] = "update_missed"
    missed: int
    was_due: datetime
    level: str
    update_due: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicationOverdue:
    """The status page has said nothing new for too long; looked at again at `publication_due`."""

    kind: Literal["publication_overdue"] = "publication_overdue"
    publication_due: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleAssigned:
    """Somebody took a role, or was given it; `person` is None when whoever had it was released. POLICY 15."""

    kind: Literal["role_assigned"] = "role_assigned"
    role: Role
    person: str | None
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CommanderExpected:
    """By when somebody has to lead; None where the policy wants nobody."""

    kind: Literal["commander_expected"] = "commander_expected"
    commander_due: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CommanderMissing:
    """Nobody leads. `asked` counts, `level` was told of it, and it is asked again at `commander_due`, or never."""

    kind: Literal["commander_missing"] = "commander_missing"
    asked: int
    level: str
    commander_due: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChecklistStepTicked:
    """Somebody has done a step of the incident's checklist. POLICY 20."""

    kind: Literal["checklist_step_ticked"] = "checklist_step_ticked"
    step: int
    phase: str
    text: str
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChecklistStepUnticked:
    """It was not done after all."""

    kind: Literal["checklist_step_unticked"] = "checklist_step_unticked"
    step: int
    text: str
    by: str


CoordinationEvent = (
    UpdateExpected
    | UpdateReminded
    | UpdateMissed
    | PublicationOverdue
    | RoleAssigned
    | CommanderExpected
    | CommanderMissing
    | ChecklistStepTicked
    | ChecklistStepUnticked
)
