"""Text from alerts and people is shown, never obeyed: by Slack, a browser, a feed reader, or our own templates."""

import json
import re
from dataclasses import replace
from datetime import timedelta
from html.parser import HTMLParser
from importlib import resources
from typing import Any
from uuid import UUID
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jinja2 import Environment, UndefinedError, nodes

from models.deliveries import ChecklistFacts, DeliveryKind, IncidentFacts, Message, Provider
from models.oncall.handoff import HandoffNote
from models.oncall.handoff import IncidentFacts as HandoffIncident
from models.role import Role
from models.severity import Severity
from models.statuspage import PageIncident, PageUpdate, StatusPage, status_page
from notifiers.environments import VALUE_LIMIT, json_templates, markup_templates, slack_templates, text_templates
from notifiers.escape import mrkdwn, plain, safe_url
from notifiers.render import pagerduty_event, publication, slack_message, slack_topic, status_atom, status_html
from tests.notifiers.facts import NOTE, NOW, TEXTUAL, delivery, incident
from tests.notifiers.peer import KEY, event_violations, violations

K = DeliveryKind
POSTED = sorted(kind for kind in K if delivery(kind).provider is Provider.SLACK and kind not in {K.CHANNEL, K.REFRESH})
HOSTILE = [
    "<!channel>", "<!here>", "<!everyone>", "<!subteam^S1>", "<@U0BOSS>", "<#C0ALL>", "&lt;!channel&gt;", "@channel",
    "@ here", "@Everyone", "<https://evil.example|runbook>", "{{ 90071 * 3 }}", "{% raise %}", "{#", "]]>", "-->", "|",
    "<script>alert(1)</script>", "<img src=x onerror=a>", "&#60;script&#62;", '"', '"}]}', "\\", "\\u003c!channel>",
    "\n", "\r\n", "\u2028", "\x00", "\x1b[2J", "\u202e", "`", "```", "🔥" * 400, "&" * 700, "x" * 6000,
]  # fmt: skip
texts = st.lists(st.one_of(st.sampled_from(HOSTILE), st.text(st.characters(), max_size=20)), max_size=6).map("".join)
urls = st.one_of(texts, texts.map(lambda text: "https://example.com/" + text), st.just("javascript:alert(1)"))
hostile_facts = st.builds(
    incident,
    title=texts,
    summary=texts,
    service=texts,
    environment=texts,
    why=st.lists(texts, max_size=4).map(tuple),
    level=st.one_of(st.none(), texts),
    acknowledged_by=st.one_of(st.none(), texts),
    resolved_by=st.one_of(st.none(), texts),
    status=st.sampled_from(["triggered", "acknowledged", "resolved"]),
    resolved_at=st.sampled_from([None, NOW]),
    next_update_due=st.sampled_from([None, NOW]),
    roles=st.dictionaries(st.sampled_from([role.words for role in Role]), texts),
    checklist=st.one_of(
        st.none(), st.builds(ChecklistFacts, name=texts, done=st.just(1), steps=st.just(3), ahead=texts)
    ),
    links=st.dictionaries(st.one_of(st.just("runbook"), texts), urls, max_size=8),
)
hostile_notes = st.builds(
    replace,
    st.just(NOTE),
    schedule=texts,
    leaving=st.lists(texts, max_size=3).map(tuple),
    open=st.lists(
        st.builds(HandoffIncident, texts, texts, texts, st.just(Severity.SEV1), st.just(NOW), texts), max_size=20
    ).map(tuple),
    resolved=st.lists(
        st.builds(HandoffIncident, texts, texts, texts, st.just(Severity.SEV1), st.just(NOW), texts), max_size=20
    ).map(tuple),
    mentions=st.just({}),
)
hostile_messages = st.builds(
    Message, text=texts.filter(str.strip), by=texts, actions=texts, next_steps=texts, mention=texts
)
OURS = re.compile(
    r"<(!date\^\d+\^\{date_short_pretty\}, \{time\}\|[-0-9: UTC]+|#C0OWN|https?://[^<>|`\s]+\|[^<>|`\n]*)>"
)


def strings(value: Any) -> list[str]:
    """Every string in a payload, keys included."""
    if isinstance(value, dict):
        return [text for item in value.items() for one in item for text in strings(one)]
    if isinstance(value, list):
        return [text for one in value for text in strings(one)]
    return [value] if isinstance(value, str) else []


@pytest.mark.parametrize("kind", POSTED)
@settings(max_examples=40, deadline=None)
@given(facts=hostile_facts, message=hostile_messages, note=hostile_notes)
def test_slack_shows_and_never_obeys(
    kind: DeliveryKind, facts: IncidentFacts, message: Message, note: HandoffNote
) -> None:
    told = delivery(kind, facts, message=message if kind in TEXTUAL else None, handoff=note)
    payload = slack_message(told, {"channel": "C0OWN"}, buttons=True)
    call = {
        "channel": "#incidents",
        "metadata": {"event_type": "tocsin_delivery", "event_payload": {"delivery_id": "x"}},
    }
    assert violations("chat.postMessage", {**call, **payload}) == []
    json.dumps(payload, ensure_ascii=False).encode()
    assert sum(map(len, strings(payload["blocks"]))) < 13_200
    for text in strings(payload):
        ours = text.replace("<!here>", "", 1) if kind is K.PAGE_FALLBACK else text
        assert not re.search(r"[<>`]", OURS.sub("", ours))
        assert not re.search(r"@\s*(channel|here|everyone)", text, re.IGNORECASE)
        assert not re.search(r"&(?!(amp|lt|gt);)", text)
        assert "270213" not in text


@settings(max_examples=100, deadline=None)
@given(facts=hostile_facts, message=hostile_messages)
def test_pagerduty_gets_what_it_takes(facts: IncidentFacts, message: Message) -> None:
    told = delivery(K.PAGE, facts, message=message)
    event = {"routing_key": KEY, **pagerduty_event(told, "https://tocsin.example.com/")}
    assert event_violations(event) == []
    assert len(json.dumps(event).encode()) < 512 * 1024
    assert not any("270213" in text or "\x1b" in text for text in strings(event))


@settings(max_examples=100, deadline=None)
@given(facts=hostile_facts)
def test_customers_read_nothing_of_the_alert(facts: IncidentFacts) -> None:
    named = delivery(K.PUBLICATION, incident(component="Payments"), text="We are investigating.", id=UUID(int=1))
    hostile = delivery(K.PUBLICATION, incident(), text="We are investigating.", id=UUID(int=1))
    fields = {name: getattr(facts, name) for name in ("title", "summary", "environment", "why", "links", "service")}
    hostile = delivery(
        K.PUBLICATION, incident(component="Payments", **fields), text="We are investigating.", id=UUID(int=1)
    )
    assert publication(hostile) == publication(named)


class Skeleton(HTMLParser):
    """The tags and attribute names of a page, and the scripts that it would run."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, ...]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, *(name for name, _ in attrs)))


def shown(text: str) -> StatusPage:
    updates = (PageUpdate(UUID(int=2), "investigating", text, NOW), PageUpdate(UUID(int=3), "identified", text, NOW))
    current = PageIncident(UUID(int=1), text, text, text, "major", NOW, updates)
    over = (*updates, PageUpdate(UUID(int=4), "resolved", text, NOW))
    past = PageIncident(UUID(int=5), text, text, text, "minor", NOW - timedelta(days=1), over)
    return status_page(text, "https://status.example.com/" + text, [current, past], [text], NOW)


@settings(max_examples=100, deadline=None)
@given(text=texts)
def test_the_status_page_keeps_its_structure_whatever_it_shows(text: str) -> None:
    page = status_html(shown(text))
    assert Skeleton(page).found == Skeleton(status_html(shown("harmless"))).found
    assert "270213" not in page
    page.encode()


@settings(max_examples=100, deadline=None)
@given(text=texts)
def test_the_feed_is_well_formed_whatever_it_tells(text: str) -> None:
    root = ET.fromstring(status_atom(shown(text)).encode())
    harmless = ET.fromstring(status_atom(shown("harmless")).encode())
    assert [element.tag for element in root.iter()] == [element.tag for element in harmless.iter()]


@given(text=texts, limit=st.integers(min_value=1, max_value=200))
def test_cutting_keeps_the_limit_and_never_splits_an_entity(text: str, limit: int) -> None:
    for cut in (mrkdwn(text, limit, lines=True), plain(text, limit)):
        assert len(cut.encode("utf-16-le")) // 2 <= limit
    assert not re.search(r"&(?!(amp|lt|gt);)", mrkdwn(text, limit))


@given(text=texts)
def test_a_link_is_an_address_or_nothing(text: str) -> None:
    for candidate in (text, "https://example.com/" + text):
        url = safe_url(candidate)
        assert url is None or re.fullmatch(r"https?://[^\s<>\"`|\\]+", url, re.IGNORECASE)


@given(address=st.from_regex(r"https?://[a-zA-Z0-9.:-]*[/?#]?[!-~]{0,20}", fullmatch=True))
def test_an_address_is_the_same_taken_apart_or_not(address: str) -> None:
    """The space, which is no part of it, has it taken apart."""
    assert safe_url(address) == safe_url(" " + address)


def test_the_topic_of_a_channel_is_inert_and_short() -> None:
    topic = slack_topic(incident(title="<!channel> " + "&" * 400))
    assert len(topic) <= 250
    assert "<" not in topic


@pytest.mark.parametrize("environment", [slack_templates(), json_templates(), markup_templates()])
@given(text=texts)
def test_a_template_that_forgets_to_cut_is_escaped_all_the_same(environment: Environment, text: str) -> None:
    printed = environment.from_string('{"text": "{{ text }}"}').render(text=text)
    if environment is markup_templates():
        assert Skeleton(printed).found == []
        return
    value = json.loads(printed)["text"]
    assert 0 < len(value) <= VALUE_LIMIT
    assert environment is json_templates() or not re.search(r"[<>`]", value)


def test_a_fact_that_is_missing_is_no_empty_word() -> None:
    with pytest.raises(UndefinedError):
        text_templates().from_string("{{ absent | cut(10) }}").render()


def test_no_template_can_put_text_past_the_escaping() -> None:
    """Operators that join strings, and filters or blocks that end escaping, are how a value could slip through."""
    allowed = {
        "cut",
        "lines",
        "utc",
        "utc_day",
        "time",
        "duration",
        "url",
        "join",
        "dictsort",
        "capitalize",
        "reverse",
        "length",
        "link",
    }
    templates = [
        file for folder in resources.files("templates").iterdir() if folder.is_dir() for file in folder.iterdir()
    ]
    found = [file for file in templates if file.name.endswith(".j2")]
    assert len(found) >= 13
    for file in found:
        tree = Environment().parse(file.read_text())
        assert {node.name for node in tree.find_all(nodes.Filter)} <= allowed, file.name
        assert not list(
            tree.find_all((nodes.Concat, nodes.Add, nodes.Mod, nodes.Mul, nodes.ScopedEvalContextModifier))
        ), file.name
