"""The policy's rules of which incidents belong together. POLICY 7."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from pydantic import Field

from models.policy_fields import Duration, Section


class Storm(Section):
    """From how many new incidents in one environment on they are one storm, which pages once. SEV1 always pages."""

    incidents: Annotated[int, Field(ge=2, le=10_000)]
    within: Duration


class Correlation(Section):
    """When a new incident is attached to an open one that pages already, instead of paging too."""

    by_dependency: bool = True
    """To the incident of a service that its own service depends on."""
    by_severity: bool = False
    """To a more severe incident of the same service and environment."""
    look_again: Duration = timedelta(minutes=5)
    """How often an attached incident looks whether the other is still open. When it is not, it pages itself."""
    storm: Storm | None = None
