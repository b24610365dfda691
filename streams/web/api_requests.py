"""What clients of the API send: validated, unknown keys refused. What they are shown: api_models.py,
review_models.py.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from models.role import Role
from models.severity import Priority, ServiceTier, Severity
from streams.rota import instant_of


def _storable(text: str) -> str:
    """JSON can spell a character that PostgreSQL cannot hold."""
    if "\0" in text:
        raise ValueError("holds a NUL character")
    return text


def _web_address(url: str) -> str:
    if not url.startswith(("https://", "http://")):
        raise ValueError("not a web address; write https://…")
    return url


_Plain = AfterValidator(_storable)
Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=300), _Plain]
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100), _Plain]
Label = Annotated[str, StringConstraints(strip_whitespace=True, max_length=200), _Plain]
Text = Annotated[str, StringConstraints(strip_whitespace=True, max_length=5000), _Plain]
Said = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=5000), _Plain]
WebAddress = Annotated[str, StringConstraints(max_length=2000), _Plain, AfterValidator(_web_address)]
Instant = Annotated[AwareDatetime, AfterValidator(instant_of)]
"""Where reckoning with days and time zones still gives an instant that can be kept."""
IncidentSeverity = Literal[Severity.SEV1, Severity.SEV2, Severity.SEV3, Severity.SEV4]


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Command(_Asked):
    """What every command may say: who gives it."""

    by: Name = "api"


class Declare(Command):
    """An incident that a person has seen. POLICY 40."""

    title: Line
    severity: IncidentSeverity
    summary: Text = ""
    service: Name = "unknown"
    environment: Label = ""
    kind: Label = Field(default="", description="Of incident, by its name in the policy: it brings its checklist.")
    tier: ServiceTier | None = Field(
        default=None, description="Of the service; by the policy's catalogue when left out, else 2."
    )


class Escalate(Command):
    """Pages the next level, or the named one."""

    level: Name | None = None


class Reassign(Command):
    """Gives the incident the policy in force now."""

    chain: Name | None = Field(default=None, description="A name among its escalations; else that of the service.")


class Resolve(Command):
    """Ends the incident; what still fires stays silent until it has been seen resolved."""

    note: Text = ""


class Update(Command):
    """Tells everybody where things stand. `message` is shown to customers where the incident is on the status page."""

    message: Said
    stage: Literal["investigating", "identified", "monitoring"] | None = None
    actions: Text = ""
    next_steps: Text = ""


class ChangeSeverity(Command):
    """POLICY 6: recorded with who and why."""

    severity: IncidentSeverity
    reason: Said


class Merge(Command):
    """Says that it is part of another incident, named by its number."""

    into: Name


class Freeze(Command):
    """It takes no more alerts; with `frozen` False it does again."""

    frozen: bool = True


class AssignRole(Command):
    """POLICY 15. Without a person whoever has it gives it back."""

    role: Role
    person: Name | None = None


class TickStep(Command):
    """POLICY 20. `done` is False to take it back."""

    step: Annotated[int, Field(ge=1, le=1000)]
    done: bool = True


class AddActionItem(Command):
    """POLICY 24."""

    title: Line
    owner: Name
    due_at: Instant
    priority: Priority = Priority.P2


class CompletePostmortem(Command):
    """Where it was written down."""

    url: WebAddress


class PageTest(Command):
    """A real page to a level, marked as a test."""

    level: Name | None = Field(default=None, description="The first level of the chain when left out.")
    service: Name | None = Field(default=None, description="The chain of this service.")
    chain: Name | None = Field(default=None, description="A name among the policy's escalations; else the default.")
