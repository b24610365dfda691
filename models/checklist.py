"""Checklists: what is to be done in a kind of incident, phase by phase, as a policy writes it down. POLICY 20.

Owns their shape and how their steps are counted; who ticked them belongs to an incident.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field, model_validator

from models.policy_fields import Section

PHASES = ("immediate", "investigation", "mitigation", "recovery", "post_incident")
Phase = tuple[Annotated[str, Field(min_length=1, max_length=300)], ...]


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do. Steps are counted from 1 through all phases."""

    number: int
    phase: str
    text: str


class Checklist(Section):
    """The steps of each phase, in order."""

    immediate: Phase = ()
    investigation: Phase = ()
    mitigation: Phase = ()
    recovery: Phase = ()
    post_incident: Phase = ()

    @model_validator(mode="after")
    def _has_steps(self) -> Checklist:
        if not self.steps:
            raise ValueError("a checklist without steps; write some under immediate, or leave the checklist out")
        return self

    @property
    def steps(self) -> list[Step]:
        """All of them, numbered."""
        texts = [(phase, text) for phase in PHASES for text in getattr(self, phase)]
        return [Step(number, phase.replace("_", "-"), text) for number, (phase, text) in enumerate(texts, 1)]
