"""Numbers and where they come from: every source, what is said when there is none, and that worse is never milder."""

from __future__ import annotations

from datetime import timedelta

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from models.classification import classify
from models.policy import Policy
from models.policy_file import PolicyError, parse_policy, shipped_policy
from models.rates import Answer, questions
from models.severity import Severity
from tests.models.profiles.table import NOW, alert, found, profile

NAMES = ["default", "sre-guide", "runbook", "sre-practices", "platform-v2", "operations-review"]
QUERY = 'sum(rate(errors{service=$service,code=~"5.."}[5m])) / sum(rate(all{service=$service}[5m]))'


def asking(query: str = QUERY, **rules: object) -> Policy:
    policy = yaml.safe_load(shipped_policy("default"))
    policy["classification"]["error_rate"] |= {
        "sources": [{"annotation": "error_rate"}, {"label": "rate"}, {"query": query}],
        **rules,
    }
    return parse_policy(yaml.safe_dump(policy), "asking.yaml")


@pytest.mark.parametrize("name", NAMES)
@given(
    family=st.sampled_from(["error_rate", "burn_rate"]),
    rates=st.tuples(st.floats(0, 1), st.floats(0, 1)),
    lasted=st.integers(0, 90_000),
    severity=st.sampled_from(["", "critical", "warning", "none", "apocalyptic"]),
)
def test_a_higher_rate_is_never_milder(
    name: str, family: str, rates: tuple[float, float], lasted: int, severity: str
) -> None:
    policy = profile(name)
    labels = {"severity": severity} if severity else {}
    lower, higher = (
        found(policy, alert(f"{lasted}s", {family: str(rate)}, **labels)).severity for rate in sorted(rates)
    )
    assert not lower.worse_than(higher)


@pytest.mark.parametrize("name", NAMES)
@given(severity=st.text(min_size=1, max_size=300), rate=st.text(max_size=20))
def test_what_nobody_knows_is_never_dropped(name: str, severity: str, rate: str) -> None:
    """Only a value that the policy lists, or a rate that is one, makes an alert INFO."""
    policy = profile(name)
    known = set(policy.classification.labels["severity"]) | {"info", "notification"}
    one = found(policy, alert("0s", {"error_rate": rate}, severity=f"x{severity}"))
    assert f"x{severity}".lower() in known or one.severity is not Severity.INFO


@pytest.mark.parametrize("name", NAMES)
@given(lasted=st.integers(0, 90_000), rate=st.floats(0, 1))
def test_what_is_pending_comes_true(name: str, lasted: int, rate: float) -> None:
    """The severity that an alert waits for is what it is classified as once the time has come."""
    policy = profile(name)
    one = alert(f"{lasted}s", {"burn_rate": str(rate)})
    for pending in found(policy, one).pending:
        then = classify([one], policy, pending.due_at).severity
        assert not pending.severity.worse_than(then)


@pytest.mark.parametrize(
    ("stated", "said"),
    [("62", "error_rate=62 is no error rate; write 62% or 0.62"), ("high", "is no error rate"), ("nan", "is no error")],
)
def test_a_number_that_cannot_be_meant_is_said(stated: str, said: str) -> None:
    assert any(said in why for why in found(profile("default"), alert("0s", {"error_rate": stated})).why)


def test_a_burn_rate_that_has_not_lasted_is_lower_now_and_pending() -> None:
    one = found(profile("sre-guide"), alert("1m", {"burn_rate": "12%"}))
    assert one.severity is Severity.SEV3
    assert [(pending.severity, pending.due_at - NOW) for pending in one.pending] == [
        (Severity.SEV1, timedelta(minutes=4)),
        (Severity.SEV2, timedelta(minutes=14)),
    ]


def test_the_first_source_that_has_a_number_is_taken() -> None:
    policy = asking()
    assert found(policy, alert("0s", {"error_rate": "60%"}, rate="1%", service="a")).severity is Severity.SEV1
    assert found(policy, alert("0s", rate="60%", service="a")).severity is Severity.SEV1
    assert list(questions(alert("0s", rate="60%", service="a"), policy)) == []


def test_a_query_is_asked_with_the_labels_quoted() -> None:
    (query,) = questions(alert(service='a"} or vector(1) #\n\\'), asking())
    assert query.count('service="a\\"} or vector(1) #\\n\\\\"') == 2
    assert '=~"5.."' in query


@given(st.text(min_size=1, max_size=100))
def test_no_value_of_a_label_ends_its_string(value: str) -> None:
    (query,) = questions(alert(service=value), asking("up{service=$service}"))
    inside = query.removeprefix('up{service="').removesuffix('"}')
    assert query == f'up{{service="{inside}"}}'
    assert '"' not in inside.replace("\\\\", "").replace('\\"', "")
    assert "\n" not in inside


def test_what_prometheus_gave_stands_in_the_reasons() -> None:
    policy, one = asking(), alert("0s", service="a")
    (query,) = questions(one, policy)
    given_it = classify([one], policy, NOW, {query: Answer(0.62)})
    assert given_it.severity is Severity.SEV1
    assert given_it.why[0] == "error rate 62% (asked of Prometheus) is above 50%: SEV1"


@pytest.mark.parametrize(("unanswered", "severity"), [(None, "SEV3"), ("SEV2", "SEV2")])
def test_without_an_answer_the_fallback_holds_and_is_said(unanswered: str | None, severity: str) -> None:
    policy, one = asking(unanswered=unanswered), alert("0s", service="a")
    (query,) = questions(one, policy)
    made = classify([one], policy, NOW, {query: Answer(None, "no answer within 2 s")})
    assert made.severity == severity
    assert "no error rate from Prometheus: no answer within 2 s" in made.why


def test_a_query_that_names_a_label_the_alert_lacks_is_not_asked_and_that_is_said() -> None:
    policy, one = asking(), alert("0s", job="a")
    assert list(questions(one, policy)) == []
    assert any("was not asked for" in why for why in found(policy, one).why)


@pytest.mark.parametrize(
    ("query", "fault"),
    [('up{a="$service"}', "without quotes"), ("up{a=~$service}", "as a pattern"), ("", "must not be empty")],
)
def test_a_query_that_could_be_turned_by_a_label_is_refused(query: str, fault: str) -> None:
    with pytest.raises(PolicyError, match=fault):
        asking(query)


@pytest.mark.parametrize(
    ("labels", "severity", "kind"),
    [
        # kube-prometheus
        ({"alertname": "KubeAPIDown", "severity": "critical"}, "SEV1", ""),
        ({"alertname": "NodeFilesystemAlmostOutOfSpace", "severity": "warning"}, "SEV3", "disk_full"),
        ({"alertname": "Watchdog", "severity": "none"}, "INFO", ""),
        # Sloth
        ({"alertname": "ApiErrors", "sloth_severity": "page", "sloth_slo": "requests"}, "SEV2", "slo_breach"),
        ({"alertname": "ApiErrors", "sloth_severity": "ticket", "sloth_slo": "requests"}, "SEV4", "slo_breach"),
        # Pyrra
        (
            {"alertname": "ErrorBudgetBurn", "severity": "critical", "slo": "api", "short": "5m", "exhaustion": "2d"},
            "SEV1",
            "slo_breach",
        ),
        ({"alertname": "ErrorBudgetBurn", "severity": "warning", "slo": "api"}, "SEV3", "slo_breach"),
    ],
)
def test_policy_5_labels_in_the_wild(labels: dict[str, str], severity: str, kind: str) -> None:
    one = found(profile("default"), alert("0s", None, **labels))
    assert (one.severity, one.kind) == (severity, kind)
