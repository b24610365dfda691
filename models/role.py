"""The roles that people take in an incident. Owns their names and nothing else. POLICY 15."""

from __future__ import annotations

from enum import StrEnum


class Role(StrEnum):
    """At most one person holds each."""

    INCIDENT_COMMANDER = "incident_commander"
    PRIMARY_RESOLVER = "primary_resolver"
    COMMUNICATIONS_LEAD = "communications_lead"
    SUBJECT_MATTER_EXPERT = "subject_matter_expert"
    SCRIBE = "scribe"

    @property
    def words(self) -> str:
        """`incident commander`."""
        return self.replace("_", " ")
