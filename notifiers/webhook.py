"""Pages to webhooks: one POST of JSON, to whatever wakes people where PagerDuty does not. docs/webhooks.md.

A 2xx is the receipt, and nothing of the answer is read. What will never be taken is refused, so that the next level is
paged at once. The addresses are secrets: the variable that holds one is its name.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import httpx

from models.deliveries import Delivered, Delivery, Outcome, Provider, Receipts, Refused, RetryLater
from notifiers.payloads import page
from notifiers.post import Poster, asks_a_person, is_here, not_taken, out_of_reach
from notifiers.render import TemplateFault


class WebhookNotifier:
    """`urls` are the addresses by the name of their variable. One attempt may take `timeout`."""

    provider = Provider.WEBHOOK
    recording = False

    def __init__(
        self, urls: Mapping[str, str], *, tls: ssl.SSLContext | None = None, timeout: timedelta = timedelta(seconds=10)
    ) -> None:
        """Raises ValueError for an address that is neither https nor on loopback."""
        self._urls = dict(urls)
        here = {name: is_here(url, name) for name, url in urls.items()}
        self._posters = {way: Poster(here=way, tls=tls, timeout=timeout) for way in set(here.values())}
        self._poster_of = {name: self._posters[way] for name, way in here.items()}

    async def send(self, delivery: Delivery, receipts: Receipts, *, read_back: bool) -> Outcome:
        """See the port."""
        if delivery.provider is not Provider.WEBHOOK or delivery.page is None:
            return Refused(f"a {delivery.kind} is not for a webhook")
        name = delivery.page.webhook
        if name not in self._urls:
            return Refused(f"no webhook for level {delivery.page.level}; set {name}")
        try:
            outcome = await self._post(name, delivery)
        except TemplateFault as fault:
            return Refused(str(fault))
        # An attempt that got nowhere says nothing about the one before it.
        return replace(outcome, unknown=True) if read_back and isinstance(outcome, RetryLater) else outcome

    async def check(self) -> str | None:
        """See the port. Asks for nothing but an answer: what a POST would do is not ours to try."""
        for name, url in self._urls.items():
            try:
                status = await self._poster_of[name].options(url, {})
            except (httpx.HTTPError, TimeoutError) as error:
                return out_of_reach(error, f"the webhook {name}").reason
            if status in {401, 403, 407} or status >= 500:
                return f"the webhook {name} answered {status}; check {name}"
        return None

    async def close(self) -> None:
        """See the port."""
        for poster in self._posters.values():
            await poster.close()

    async def _post(self, name: str, delivery: Delivery) -> Outcome:
        who, headers = f"the webhook {name}", {"Idempotency-Key": str(delivery.id)}
        try:
            answer, _ = await self._poster_of[name].post(self._urls[name], page(delivery), headers, most=0)
        except (httpx.HTTPError, TimeoutError) as error:
            return self._of_one(out_of_reach(error, who))
        if answer.is_success:
            return Delivered(f"taken by {who}")
        if asks_a_person(answer):
            return Refused(f"{who} answered {answer.status_code}; check {name}")
        return self._of_one(not_taken(answer, who))

    def _of_one(self, outcome: RetryLater | Refused) -> RetryLater | Refused:
        """One of several that is down says nothing of the others, and must not open the breaker for them."""
        alone = len(self._urls) == 1
        return outcome if alone or isinstance(outcome, Refused) else replace(outcome, provider_down=False)
