"""What a consume costs from Python, in memory: beside `limits`. Every answer is looked at, and the sums are compared.
`python benches/python/counting.py`"""

import random
from pathlib import Path

import sublet
from limits import RateLimitItemPerMonth
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter
from measure import ROUNDS, Report, race, size

MANY = size("SUBLET_BENCH_KEYS", 100_000)
COUNT = size("SUBLET_BENCH_CONSUMES", 50_000)
HOST = "dash.marketingmaster.example"


def opened(accounts):
    engine = sublet.Engine.open(Path(__file__).parents[2] / "policies")
    lines = ['{"type":"Platform","id":"mmio"}', f'{{"type":"Domain","id":"{HOST}","kind":"platform","state":"verified"}}']
    for at in range(accounts):
        name = f"account-{at}"
        # Many have what their package gives, few a limit of their own.
        limits = "" if accounts > 1_000 else ',"limits":{"emails":1000000000}'
        lines.append(f'{{"type":"Account","id":"{name}","email":"o@{name}.example","package":"agency","confirmed":true{limits}}}')
    engine.import_lines("\n".join(lines))
    return engine


def main():
    report = Report("counting-python")
    for keys in (1, MANY):
        engine = opened(keys)
        draw = random.Random(17)
        drawn = [draw.randrange(keys) for _ in range(COUNT)]
        principals = [sublet.Principal("Account", f"account-{at}") for at in range(keys)]
        action, kind, host = sublet.Action("campaign.send"), sublet.ResourceType("Campaign"), sublet.Host(HOST)
        handles = [(principals[at], (kind, "k", principals[at])) for at in drawn]
        strings = [(("Account", f"account-{at}"), ("Campaign", "k", f"account-{at}")) for at in drawn]
        limiter, item = FixedWindowRateLimiter(MemoryStorage()), RateLimitItemPerMonth(1_000_000_000)
        names = [f"account-{at}" for at in drawn]
        consume, hit = engine.consume, limiter.hit

        def ours(asked):
            def run():
                for principal, resource in asked:
                    assert consume(principal, action, resource, 1, host=host)

            return run

        def peer():
            for name in names:
                assert hit(item, name)

        found = race({"handles": ours(handles), "strings": ours(strings), "limits": peer}, COUNT)
        used = sum(engine.usage(f"account-{at}", meter="emails")[0]["used"] for at in range(keys))
        checked = used == 2 * COUNT * (ROUNDS + 1)
        report.row(f"python/consume/memory/handles/keys={keys}/peer=limits", "ns", found["handles"], found["limits"], checked)
        report.row(f"python/consume/memory/strings/keys={keys}/peer=limits", "ns", found["strings"], found["limits"], checked)


if __name__ == "__main__":
    main()
