"""A month of an agency over HTTP, at both services of the worked example. Each answer and each
number is compared."""

import hmac
from pathlib import Path
from typing import Any

import sublet
from agency import DASH, Agency, agency, good

APP, NOVA = "app.acme.example", "app.nova.example"
CLIENTS = [f"client-{nth:02}" for nth in range(1, 14)]
LIMIT = 100


class Month:
    """The scenes in their order."""

    def __init__(self, found: Agency) -> None:
        self.found, self.tokens, self.sent = found, {"olga": found.staff()}, dict.fromkeys(CLIENTS, 0)

    def office(self, who: str, verb: str, path: str, body: Any = None, host: str = DASH, **more: Any) -> tuple[int, Any]:
        return self.found.office.ask(host, verb, path, body, token=self.tokens.get(who), **more)

    def do(self, who: str, host: str = DASH, **command: Any) -> tuple[int, Any]:
        return self.office(who, "POST", "/commands", command, host)

    def staff(self, verb: str, path: str, body: Any = None, **more: Any) -> Any:
        return good(self.office("olga", verb, path, body, reason="the books", **more))

    def send(self, client: str, amount: int, host: str = APP, who: str = "", **more: Any) -> tuple[int, Any]:
        """Sends at the mailer, and adds up the acknowledged amounts."""
        path = f"/accounts/{client}/campaigns/spring/send"
        status, said = self.found.mailer.ask(host, "POST", path, {"recipients": amount}, token=self.tokens[who or client], **more)
        if status == 200 and not said["replayed"]:
            self.sent[client] += amount
        return status, said

    def used(self, client: str, host: str = APP) -> int:
        usage = good(self.found.mailer.ask(host, "GET", f"/accounts/{client}/usage", token=self.tokens[client]))
        return int(next(meter["used"] for meter in usage if meter["meter"] == "emails"))

    def statement(self) -> Any:
        return good(self.office("acme", "GET", "/accounts/acme/statements/2026-10"))

    def disabled(self) -> list[str]:
        """Returns the clients that the other service refuses. This is the actual effect,
        independent of the statement."""
        answers = {client: self.send(client, 1) for client in CLIENTS if client in self.tokens}
        assert all(answer[0] == 200 or answer == (403, {"code": "account_overage"}) for answer in answers.values()), answers
        return [client for client, (status, _) in answers.items() if status != 200]

    def sign_up(self) -> None:
        self.tokens["acme"] = self.found.sign_up("acme", "agency", APP)
        assert self.do("acme", do="create_account", id="x", email="x@x.example", package="agency")[0] != 200
        assert self.do("olga", do="create_account", id="x", email="x@x.example", package="agency") == (403, {"code": "reason_missing"})
        status, said = self.office("olga", "POST", "/commands", {"do": "create_account", "id": "x", "email": "x", "package": "agency"}, reason="signed")
        assert (status, said["error"]) == (409, "directory.email")
        assert good(self.office("olga", "GET", "/staff/accounts/acme", reason="a call"))["confirmed"] is True

    def create_clients(self) -> None:
        for nth, client in enumerate(CLIENTS, 1):
            command = {"do": "create_client", "id": client, "email": f"hello@{client}.example", "limits": {"emails": LIMIT}}
            for again in (False, True):
                said = good(self.office("acme", "POST", "/commands", command, key=client))
                assert (said["replayed"], "quota_overage" in said["advice"]) == (again, nth > 10), said
            unconfirmed = self.found.mailer.ask(DASH, "GET", f"/pages/{client}/home")
            assert unconfirmed == (403, {"code": "email_unconfirmed"})
            self.tokens[client] = self.found.confirm(APP, client, f"hello@{client}.example", client)
        assert good(self.office("acme", "GET", "/accounts/acme"))["usage"]["client_accounts"] == {"used": 13, "limit": 10}
        status, said = self.do("acme", do="create_client", id="other", email="hello@client-01.example")
        assert (status, said["error"]) == (409, "directory.duplicate_login")
        assert self.do("client-01", APP, do="create_client", id="other", email="o@o.example") == (403, {"code": "feature_not_in_level"})

    def log_in(self) -> None:
        """Whatever the reason, a stranger gets one answer."""
        wrong = [
            (DASH, "hello@client-01.example", "client-01"),
            (APP, "hello@client-01.example", "wrong"),
            (APP, "nobody@client-01.example", "client-01"),
            ("nowhere.example", "hello@client-01.example", "client-01"),
        ]
        for host, email, password in wrong:
            answer = self.found.office.ask(host, "POST", "/login", {"email": email, "password": password})
            assert answer == (401, {"code": "login_refused"}), host
        self.tokens["client-01"] = self.found.log_in(APP, "hello@client-01.example", "client-01")
        token = self.tokens["client-01"]
        self.tokens["forged"] = ("A" if token[0] != "A" else "B") + token[1:]
        for service in (self.found.office, self.found.mailer):
            assert service.ask(APP, "GET", "/accounts/client-01/usage", token=self.tokens["forged"])[0] in (401, 404)
        assert self.office("forged", "GET", "/accounts/client-01", host=APP) == (401, {"code": "session_missing"})
        confirm = {"account": "client-01", "token": self.found.mail("hello@client-01.example"), "password": "mine"}
        assert self.found.office.ask(APP, "POST", "/confirm", confirm) == (401, {"code": "login_refused"})

    def invite(self) -> None:
        assert self.do("client-01", APP, do="invite_member", id="dan", email="dan@client.example", grants=["sms"]) == (403, {"code": "grant_exceeds_own"})
        for member, grants in (("dan", ["campaigns"]), ("eve", ["contacts"])):
            assert self.do("client-01", APP, do="invite_member", id=member, email=f"{member}@client.example", grants=grants)[0] == 200
            first = self.found.mail(f"{member}@client.example")
            assert self.do("client-01", APP, do="resend_invitation", member=member)[0] == 200
            assert self.found.mail(f"{member}@client.example") != first
            self.tokens[member] = self.found.join(APP, member, f"{member}@client.example", member)
        assert self.office("dan", "GET", "/menu", host=APP)[1]["actions"]
        # A changed e-mail is mailed to anew, until the present one takes the change back.
        assert self.do("dan", APP, do="change_email", email="daniel@client.example")[0] == 200
        first = self.found.mail("daniel@client.example")
        assert self.do("dan", APP, do="resend_confirmation")[0] == 200
        assert self.found.mail("daniel@client.example") != first
        assert self.do("dan", APP, do="change_email", email="dan@client.example")[0] == 200
        # The owner's book-keeper reads the bill, and records no money. (B13)
        assert self.do("acme", do="invite_member", id="fin", email="fin@acme.example", grants=["billing"])[0] == 200
        self.tokens["fin"] = self.found.join(DASH, "fin", "fin@acme.example", "fin")
        assert self.office("fin", "GET", "/accounts/acme/preview")[1]["due_cents"] == 1500
        assert self.office("fin", "GET", "/staff/accounts/acme/statements/2026-10")[0] == 403
        assert self.do("dan", APP, do="grant_member", member="eve", grants=["campaigns"]) == (403, {"code": "feature_not_granted"})

    def send_to_the_limit(self) -> None:
        first = self.send("client-01", 60, who="dan", key="spring/1")
        again = self.send("client-01", 60, who="dan", key="spring/1")
        assert (first[1]["left"], again[1]["left"], again[1]["replayed"]) == (40, 40, True)
        assert self.send("client-01", 1, who="eve") == (403, {"code": "feature_not_granted"})
        assert self.send("client-02", 1, who="dan") == (403, {"code": "other_account"})
        tried = good(self.office("client-01", "POST", "/accounts/client-01/campaigns/spring/try", {"copies": 30}, APP))
        assert (tried["left"], tried["advice"]) == (10, ["quota_80"])
        news = {"recipients": ["ann", "ben", "bounce"]}
        told = [
            good(self.found.mailer.ask(APP, "POST", "/accounts/client-01/broadcasts/news/send", news, token=self.tokens["client-01"], key="news"))
            for _ in range(2)
        ]
        assert [(said["sent"], said["left"], said["replayed"]) for said in told] == [(2, 8, False), (2, 8, True)]
        self.sent["client-01"] += 30 + 2
        assert self.send("client-01", 9) == (403, {"code": "quota_exceeded"})
        assert self.send("client-01", 8)[1]["left"] == 0
        assert self.office("client-01", "POST", "/accounts/client-01/campaigns/spring/try", {"copies": 1}, APP) == (403, {"code": "quota_exceeded"})
        for amount in (-1, 1.5, "1", None):
            assert self.send("client-01", amount)[0] == 400  # type: ignore[arg-type]
        for client in CLIENTS[1:]:
            assert self.send(client, 10)[0] == 200
        assert [self.used(client) for client in CLIENTS] == [100] + [10] * 12 == list(self.sent.values())

    def act_as(self) -> None:
        assert self.office("client-02", "POST", "/act-as/client-01", host=APP)[0] == 403
        self.tokens["inside"] = good(self.office("acme", "POST", "/act-as/client-01"))["token"]
        assert good(self.office("inside", "GET", "/menu"))["actor"] == ["Account", "acme"]
        assert good(self.office("inside", "GET", "/accounts/client-01"))["usage"]["emails"]["used"] == 100
        assert self.do("inside", do="change_email", account="client-01", email="mine@acme.example") == (403, {"code": "acting_denied"})
        assert self.office("inside", "POST", "/act-as/client-02") == (403, {"code": "not_your_client"})
        # The session belongs to the owner. It is worthless at a domain of another owner.
        assert self.office("inside", "GET", "/accounts/client-01", host="nowhere.example") == (403, {"code": "domain_unknown"})

    def ask_for_help(self) -> None:
        opened = {who: good(self.office(who, "POST", "/tickets", {"words": "help"}, host)) for who, host in (("client-01", APP), ("dan", APP), ("acme", DASH))}
        assert [opened[who]["desk"] for who in ("client-01", "dan", "acme")] == ["owner", "owner", "platform"]
        ticket = opened["client-01"]["ticket"]
        assert good(self.office("dan", "POST", f"/tickets/{ticket}/replies", {"words": "please"}, APP))["desk"] == "owner"
        # If the owner does not pay, the platform takes over the ticket. After the payment the
        # ticket returns to the owner. (T2, T3)
        assert self.office("olga", "POST", "/commands", {"do": "disable", "account": "acme", "reason": "unpaid"}, reason="late")[0] == 200
        taken_over = good(self.office("dan", "POST", f"/tickets/{ticket}/replies", {"words": "please"}, APP))
        assert (taken_over["desk"], taken_over["rerouted"], taken_over["as"]) == ("platform", True, "acme")
        assert self.office("acme", "GET", f"/tickets/{ticket}") == (403, {"code": "account_unpaid"})
        assert len(self.staff("GET", f"/staff/tickets/{ticket}")["messages"]) == 3
        assert self.send("client-02", 1) == (403, {"code": "owner_unpaid"})
        assert self.office("olga", "POST", "/commands", {"do": "restore", "account": "acme", "reason": "unpaid"}, reason="paid")[0] == 200
        assert good(self.office("dan", "POST", f"/tickets/{ticket}/replies", {"words": "please"}, APP))["desk"] == "owner"
        assert self.office("client-02", "POST", f"/tickets/{ticket}/replies", {"words": "let me see"}, APP) == (403, {"code": "other_account"})
        assert self.office("client-02", "GET", f"/tickets/{ticket}", host=APP) == (403, {"code": "other_account"})
        # The ticket is at the owner's desk. The owner reads and answers it, and the staff cannot.
        # The owner asks the platform for help with a ticket of their own. (T1, T4)
        assert good(self.office("acme", "POST", f"/tickets/{ticket}/replies", {"words": "soon"}))["desk"] == "owner"
        assert self.office("olga", "GET", f"/staff/tickets/{ticket}", reason="curious") == (403, {"code": "ticket_at_other_desk"})
        said = good(self.office("dan", "GET", f"/tickets/{ticket}", host=APP))["messages"]
        assert [message["login"] for message in said] == ["Account/client-01", *["TeamMember/dan"] * 3, "Account/acme"]
        assert self.office("dan", "POST", f"/tickets/{ticket}/escalation", {"words": "you then"}, APP) == (403, {"code": "ticket_platform_forbidden"})
        escalated = good(self.office("acme", "POST", f"/tickets/{ticket}/escalation", {"words": "a client of ours"}))
        assert (escalated["desk"], escalated["linked"]) == ("platform", str(ticket))
        assert self.staff("GET", f"/staff/tickets/{escalated['ticket']}")["messages"] == [{"login": "Account/acme", "words": "a client of ours"}]
        assert self.office("inside", "POST", "/tickets", {"words": "from inside"})[1]["desk"] == "owner"

    def run(self, program: str, amount: int, host: str = APP, account: str = "acme", **more: Any) -> tuple[int, Any]:
        """Sends as a program does: with its key."""
        path = f"/accounts/{account}/campaigns/nightly/send"
        return self.found.mailer.ask(host, "POST", path, {"recipients": amount}, api_key=program, **more)

    def send_by_a_program(self) -> None:
        create = {"do": "create_service_account", "id": "robot", "grants": ["campaigns"], "sub_limits": {"emails": 50}, "hosts": [APP]}
        assert self.do("client-01", APP, **{**create, "grants": []}) == (403, {"code": "feature_not_in_level"})
        made = good(self.office("acme", "POST", "/commands", create, key="robot"))
        key = made["key"]
        # The key is shown once. A retry creates nothing, and has no key.
        again = good(self.office("acme", "POST", "/commands", create, key="robot"))
        assert again["replayed"] and "key" not in again
        assert "key" not in good(self.office("acme", "POST", "/commands", {"do": "edit_service_account", "member": "robot", "name": "nightly newsletter"}))
        sent = [good(self.run(key, 40, key="night/1")) for _ in range(2)]
        assert [(said["code"], said["replayed"]) for said in sent] == [("ok", False), ("ok", True)]
        assert self.run(key, 11) == (403, {"code": "member_quota_exceeded"})
        assert self.run(key, 1, account="client-01") == (403, {"code": "other_account"})
        assert self.found.mailer.ask(APP, "POST", "/accounts/acme/broadcasts/news/send", {"recipients": ["ann"]}, api_key=key) == (403, {"code": "feature_not_granted"})
        # A wrong key, a wrong host and a key of somebody who has no business here get one answer.
        for wrong, host in (("guess", APP), (key, DASH), (key, "nowhere.example"), (key[:-1], APP)):
            assert self.run(wrong, 1, host) == (401, {"code": "login_refused"}), host
        # The key is no session, and the office takes no keys.
        assert self.found.mailer.ask(APP, "GET", "/accounts/acme/usage", token=key) == (401, {"code": "session_missing"})
        assert self.found.office.ask(APP, "GET", "/accounts/acme", api_key=key) == (401, {"code": "session_missing"})
        new = good(self.do("acme", do="rotate_key", member="robot"))["key"]
        assert self.run(key, 1) == (401, {"code": "login_refused"})
        assert good(self.run(new, 10))["code"] == "ok"
        assert self.do("acme", do="remove_service_account", member="robot")[0] == 200
        assert self.run(new, 0) == (401, {"code": "login_refused"})

    def sign_out(self) -> None:
        """After a sign-out the sessions from before it are refused by both services. A new one is
        not."""
        self.set_clock("2026-10-02T08:00:00Z")
        inside = good(self.office("acme", "POST", "/act-as/client-01"))["token"]
        assert self.do("acme", do="sign_out")[0] == 200
        for account, token in (("acme", self.tokens["acme"]), ("client-01", inside)):
            for service, path in ((self.found.office, f"/accounts/{account}"), (self.found.mailer, f"/accounts/{account}/usage")):
                assert service.ask(DASH, "GET", path, token=token) == (403, {"code": "session_expired"})
        self.tokens["acme"] = self.found.log_in(DASH, "owner@acme.example", "acme's")
        assert self.office("acme", "GET", "/accounts/acme")[0] == 200
        self.tokens["inside"] = good(self.office("acme", "POST", "/act-as/client-01"))["token"]
        assert self.office("inside", "GET", "/accounts/client-01")[0] == 200

    def set_clock(self, at: str) -> None:
        assert self.office("olga", "POST", "/trying/clock", {"at": at})[0] == 200

    def night(self) -> Any:
        """Runs the nightly job, and returns its lines."""
        return good(self.found.office.ask(DASH, "POST", "/trying/night"))

    def book(self, who: str = "bill", **command: Any) -> tuple[int, Any]:
        """Performs a command about the bill of October."""
        key = command.pop("key", None)
        return self.office(who, "POST", "/commands", {"account": "acme", "period": "2026-10", **command}, reason="the books", key=key)

    def pay(self, cents: int, key: str) -> Any:
        """Records a payment, and returns its entry and the statement after it."""
        paid = [good(self.book(do="record_payment", cents=cents, key=key)) for _ in range(2)]
        assert [said["replayed"] for said in paid] == [False, True] and paid[0]["entry"] == paid[1]["entry"]
        return paid[0]["entry"], self.statement()

    def reverse(self, entry: int, key: str, status: int = 200) -> Any:
        answer = self.office("bill", "POST", "/commands", {"do": "reverse_payment", "account": "acme", "payment": entry}, reason="no cover", key=key)
        assert answer[0] == status, answer
        return answer[1]

    def end_the_month(self) -> None:
        preview = good(self.office("acme", "GET", "/accounts/acme/preview"))
        assert [preview[name] for name in ("status", "clients", "included", "excess", "due_cents")] == ["open", 13, 10, 3, 1500]
        assert len(preview["at_risk"]) == 13
        self.tokens["bill"] = self.found.log_in(DASH, "bill@marketingmaster.example", "let-me-in")
        for command in ("close_month", "settle_overage"):
            assert self.book(do=command) == (403, {"code": "month_not_over"})
        self.set_clock("2026-10-31T23:59:59Z")
        assert self.night() == []
        assert self.send("client-01", 1) == (403, {"code": "quota_exceeded"})
        self.set_clock("2026-11-01T00:00:00Z")
        ended = self.statement()
        assert [ended[name] for name in ("status", "clients", "excess", "due_cents", "unpaid", "disabled")] == ["ended", 13, 3, 1500, 3, []]
        assert [self.used(client) for client in CLIENTS] == [0] * 13
        assert self.send("client-01", 1)[1]["left"] == LIMIT - 1
        assert self.office("client-01", "GET", "/accounts/client-01/statements/2026-10", host=APP) == (403, {"code": "client_not_billed_by_platform"})

    def warn(self) -> None:
        """The month is closed at night. The owner is warned once, and nobody is disabled."""
        self.set_clock("2026-11-01T02:00:00Z")
        grace = "acme 2026-10: days of grace: 14, clients at risk: 3"
        assert self.night() == ["acme 2026-10: closed, cents due: 1500", f"{grace}, owner warned"]
        assert self.night() == [grace]
        closed = self.statement()
        assert (closed["status"], closed["disabled"], closed["settle_from"]) == ("closed", [], "2026-11-15T00:00:00Z")
        assert closed["at_risk"] == closed["draw"][:3] and sorted(closed["draw"]) == CLIENTS
        assert closed == self.staff("GET", "/staff/accounts/acme/statements/2026-10")
        self.drawn = closed["at_risk"]
        mail = good(self.found.office.ask(DASH, "GET", "/trying/mail/owner@acme.example"))
        assert (mail["sender"], mail["about"], mail["token"]) == ("mmio", "month_closed", None)
        assert mail["words"] == "Pay for 2026-10 by 2026-11-15T00:00:00Z. Else 3 of your client accounts are disabled."
        assert [self.found.mail(f"hello@{client}.example") is not None for client in self.drawn] == [True] * 3
        assert self.disabled() == []

    def pay_a_part(self) -> None:
        """Only the finance staff records money. Each full price takes one client out of danger."""
        part = {"do": "record_payment", "account": "acme", "period": "2026-10", "cents": 700}
        for who in ("acme", "fin"):
            assert self.office(who, "POST", "/commands", part)[1]["error"] == "input.command_unasked"
        assert self.office("bill", "POST", "/commands", part) == (403, {"code": "reason_missing"})
        assert self.office("bill", "POST", "/commands", {"do": "disable", "account": "acme", "reason": "unpaid"}, reason="late") == (403, {"code": "role_missing"})
        _, told = self.pay(700, "bank/1")
        assert [told[name] for name in ("status", "received_cents", "paid", "unpaid", "at_risk", "disabled")] == ["closed", 700, 1, 2, self.drawn[:2], []]
        self.set_clock("2026-11-14T23:59:59Z")
        assert self.night() == ["acme 2026-10: days of grace: 1, clients at risk: 2"]
        assert self.book(do="settle_overage") == (403, {"code": "month_in_grace"})
        assert self.disabled() == []

    def draw(self) -> None:
        self.set_clock("2026-11-15T00:00:00Z")
        assert [self.night(), self.night()] == [["acme 2026-10: settled, clients disabled: 2"], []]
        settled = self.statement()
        assert good(self.book(do="settle_overage"))["code"] == "ok" and settled == self.statement()
        self.drawn = settled["draw"][:2]
        assert (settled["status"], settled["unpaid"], settled["disabled"]) == ("settled", 2, self.drawn)
        seed = bytes.fromhex(settled["seed"])
        assert settled["draw"] == sorted(CLIENTS, key=lambda client: hmac.digest(seed, client.encode(), "sha256"))
        assert sublet.Engine.verify_draw(settled)
        assert self.disabled() == sorted(self.drawn)
        assert good(self.found.office.ask(DASH, "GET", "/trying/mail/owner@acme.example"))["about"] == "month_settled"
        for client in self.drawn:
            assert good(self.office(client, "GET", f"/accounts/{client}", host=APP))["disabled"] == ["overage"]
            assert self.do(client, APP, do="invite_member", id="new", email="new@client.example") == (403, {"code": "account_overage"})
            assert self.do("acme", do="restore", account=client, reason="overage") == (403, {"code": "disable_reason_denied"})

    def pay_late(self) -> None:
        """Each full price enables one client again, and a reversal disables it."""
        entry, told = self.pay(300, "bank/2")
        assert (told["paid"], told["disabled"]) == (2, self.drawn[:1])
        assert self.disabled() == self.drawn[:1]
        assert self.reverse(entry, "bank/3")["entry"] != entry
        assert self.disabled() == sorted(self.drawn)
        assert self.reverse(entry, "bank/8", 409)["error"] == "billing.payment_reversed"
        assert self.pay(299, "bank/4")[1]["disabled"] == self.drawn
        assert self.pay(1, "bank/5")[1]["disabled"] == self.drawn[:1]
        assert self.statement()["received_cents"] == 1000 and self.disabled() == self.drawn[:1]
        entry, told = self.pay(500, "bank/6")
        assert told["disabled"] == [] == self.disabled()
        # The bank takes the last 500 cents back. So one client is disabled when it is closed.
        assert self.reverse(entry, "bank/7")["code"] == "ok"
        assert self.disabled() == self.drawn[:1]

    def close(self) -> None:
        first = self.drawn[0]
        assert self.do("acme", do="close", account=first)[0] == 200
        self.tokens.pop(first, None)
        told = self.statement()
        assert (told["unpaid"], told["disabled"], told["departed"], told["due_cents"]) == (0, [], [first], 1500)
        assert sublet.Engine.verify_draw(told)
        assert self.disabled() == []
        assert self.found.mailer.ask(APP, "GET", f"/pages/{first}/home") == (403, {"code": "account_closed"})
        assert self.found.mailer.ask(APP, "POST", f"/unsubscribe/{first}/ann") == (200, {"code": "ok"})
        # A login with the right password gets the reason.
        status, said = self.found.office.ask(APP, "POST", "/login", {"email": f"hello@{first}.example", "password": first})
        assert (status, said["code"]) == (403, "account_closed")

    def transfer(self) -> None:
        goes = self.statement()["draw"][-1]
        self.tokens["nova"] = self.found.sign_up("nova", "enterprise", NOVA)
        accept = {"do": "accept_transfer", "account": goes, "level": "full", "limits": {"emails": LIMIT}}
        assert self.do("nova", **accept) == (403, {"code": "transfer_not_offered"})
        assert self.do("acme", do="offer_transfer", account=goes, to="nova")[0] == 200
        assert self.do("nova", **accept) == (403, {"code": "transfer_not_consented"})
        self.tokens["inside"] = good(self.office("acme", "POST", f"/act-as/{goes}"))["token"]
        consent = {"do": "consent_transfer", "account": goes, "to": "nova"}
        assert self.do("inside", **consent) == (403, {"code": "acting_denied"})
        assert self.do(goes, APP, **consent)[0] == 200
        before = self.used(goes)
        assert before > 0 and self.do("nova", **accept)[0] == 200
        # The client's old session and the owner's session inside the client are no longer valid.
        assert self.send(goes, 1) == (403, {"code": "domain_other_owner"})
        assert self.send(goes, 1, NOVA) == (403, {"code": "realm_mismatch"})
        assert self.office("inside", "GET", f"/accounts/{goes}") == (403, {"code": "acting_denied"})
        assert self.found.office.ask(APP, "POST", "/login", {"email": f"hello@{goes}.example", "password": goes})[0] == 401
        self.tokens[goes] = self.found.log_in(NOVA, f"hello@{goes}.example", goes)
        assert self.used(goes, NOVA) == before
        assert self.send(goes, 1, NOVA)[1]["left"] == LIMIT - before - 1
        assert [good(self.office(owner, "GET", f"/accounts/{owner}"))["usage"]["client_accounts"]["used"] for owner in ("acme", "nova")] == [11, 1]

    def judge(self) -> None:
        """Reads the store in a third process, which belongs to neither service."""
        engine = sublet.Engine.open(self.found.state / "policies", store=f"sqlite:{self.found.state / 'sublet.db'}?create=no", clock=sublet.ManualClock("2026-11-15T00:00:00Z"))
        assert engine.verify()["faults"] == []
        october = {client: 100 if client == "client-01" else 10 for client in CLIENTS}
        assert {client: engine.usage(client, meter="emails")[0]["used"] + october[client] for client in CLIENTS} == self.sent
        acted = [entry for client in CLIENTS for entry in engine.history(client) if entry["actor"]]
        assert acted == []


def test_agency_month_adds_up(tmp_path: Path) -> None:
    with agency(tmp_path, workers=2) as found:
        month = Month(found)
        month.sign_up()
        month.create_clients()
        month.log_in()
        month.invite()
        month.send_to_the_limit()
        month.act_as()
        month.ask_for_help()
        month.send_by_a_program()
        month.sign_out()
        month.end_the_month()
        month.warn()
        month.pay_a_part()
        month.draw()
        month.pay_late()
        month.close()
        month.transfer()
        month.judge()
