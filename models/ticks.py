"""Ticking off the checklist of an incident. POLICY 20.

Pure. The checklist is the one that the incident's own policy has for its kind, so it is frozen at the opening. Steps
are ticked after the end as well: some are to be done then.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from models.checklist import Step
from models.coordination_events import ChecklistStepTicked, ChecklistStepUnticked
from models.deliveries import ChecklistFacts
from models.policy import Policy
from models.signals import ChecklistTickRequested
from models.state import Incident


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a checklist is: `ticked` says by whom, by the step's number."""

    name: str
    steps: Sequence[Step]
    ticked: dict[int, str]


def progress(incident: Incident, policy: Policy) -> Progress | None:
    """None where its kind has no checklist. `policy` is the incident's."""
    kind = next((one for one in policy.classification.kinds if one.name == incident.kind), None)
    found = policy.checklists.get(kind.checklist) if kind and kind.checklist else None
    if kind is None or kind.checklist is None or found is None:
        return None
    return Progress(kind.checklist, found.steps, dict(incident.coordination.ticked))


def facts(incident: Incident, policy: Policy) -> ChecklistFacts | None:
    """What messages tell of it: how many steps are done, and the first that is not."""
    known = progress(incident, policy)
    if known is None:
        return None
    ahead = next((step.text for step in known.steps if step.number not in known.ticked), "")
    return ChecklistFacts(known.name, len(known.ticked), len(known.steps), ahead)


def ticked(
    incident: Incident, signal: ChecklistTickRequested, policy: Policy
) -> list[ChecklistStepTicked | ChecklistStepUnticked]:
    """A person has done a step, or takes that back. A step that is not there, or is so already, decides to nothing."""
    known = progress(incident, policy)
    step = next((one for one in known.steps if one.number == signal.step), None) if known else None
    if step is None or (step.number in incident.coordination.ticked) == signal.done:
        return []
    if signal.done:
        return [ChecklistStepTicked(step=step.number, phase=step.phase, text=step.text, by=signal.by)]
    return [ChecklistStepUnticked(step=step.number, text=step.text, by=signal.by)]
