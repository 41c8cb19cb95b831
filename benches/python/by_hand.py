"""The peer: the rules that the workload meets, in plain Python, written to win. What depends on one login alone is worked out
beforehand; an answer is three look-ups in dicts and a few operations on ints."""

import json

# Kinds of action, above the bits of the features.
LOGIN, READ, WRITE, TICKET = (1 << at for at in range(40, 44))
OWN, ON_CLIENT, TO_OWNER, TO_PLATFORM = range(4)
WHITELABEL = ("client_accounts", "access_levels", "branding", "act_as_client")


def blocked(own, of_owner):
    """The kinds of action on one's own that such a status forbids."""
    bits = 0
    if "closed" in own:
        bits |= LOGIN | READ | WRITE | TICKET
    if own & {"abuse", "by_owner"} or of_owner & {"closed", "abuse"}:
        bits |= LOGIN | READ | WRITE
    if own & {"overage", "unpaid"} or "unpaid" in of_owner:
        bits |= WRITE
    return bits


def intern(lines):
    """(logins, owners, domains, bits): a login is (account, realm, is main, what it may, whether its owner is away)."""
    packages, levels, accounts, logins, owners, domains = {}, {}, {}, {}, {}, {}
    bits = {}

    def mask(names):
        return sum(bits.setdefault(name, 1 << len(bits)) for name in names)

    everything = LOGIN | READ | WRITE | TICKET
    for record in map(json.loads, lines):
        match record["type"]:
            case "Package":
                features = mask(record["features"])
                packages[record["id"]] = features if record["whitelabel"] else features & ~mask(WHITELABEL)
            case "AccessLevel":
                levels[record["id"]] = mask(record["features"])
            case "Domain":
                # One that is not verified is as good as none.
                if record["state"] == "verified":
                    domains[record["id"]] = record.get("owner")
            case "Account":
                name, owner = record["id"], record.get("owner")
                status = set(record.get("disabled", ())) | ({"closed"} if record.get("closed") else set())
                of_owner = accounts[owner][1] if owner else set()
                features = packages[record["package"]] if owner is None else levels.get(record["level"], 0) & accounts[owner][0]
                kinds = everything & ~blocked(status, of_owner) if record.get("confirmed") else 0
                away = owner is not None and bool(of_owner or "abuse" in status)
                accounts[name] = features, status, kinds
                owners[name] = owner
                logins["Account", name] = name, owner or name, owner is None, features | kinds, away
            case "TeamMember":
                account, realm, main, may, away = logins["Account", record["account"]]
                may = may & (mask(record["grants"]) | everything) if record.get("confirmed") else 0
                logins["TeamMember", record["id"]] = account, realm, main, may, away
    return logins, owners, domains, bits


def actions(kept, bits):
    """Each action as (what it needs, the type of what it is done to, what is special)."""
    found = {
        "login.password": (LOGIN, "Account", OWN),
        "member.list": (READ | bits["team"], "Account", OWN),
        "client.edit": (WRITE | bits["client_accounts"], "Account", ON_CLIENT),
        "ticket.to_owner": (TICKET, "Account", TO_OWNER),
        "ticket.to_platform": (TICKET, "Account", TO_PLATFORM),
    }
    for feature, prefix, kind in kept:
        # A feature that no package has is a bit that no login has.
        bit = bits.get(feature, 1 << 50)
        for verb, needs in (("read", READ), ("edit", WRITE), ("delete", WRITE)):
            found[f"{prefix}.{verb}"] = needs | bit, kind, OWN
    return found


def rules(lines, kept):
    """`allows(principal, action, resource, host)`, which gives the allow bit."""
    logins, owners, domains, bits = intern(lines)
    known = actions(kept, bits)

    def allows(principal, action, resource, host, logins=logins, known=known, domains=domains, owners=owners):
        try:
            account, realm, main, may, away = logins[principal]
            needs, kind, special = known[action]
            owner = domains[host]
        except KeyError:
            return False
        if may & needs != needs or resource[0] != kind or (owner != realm and (owner is not None or not main)):
            return False
        # The account of what the host keeps, or the account itself.
        named = resource[-1]
        if special == 0:
            return named == account
        if special == 1:
            return main and owners.get(named) == account
        if special == 2:
            return named == account and not main and not away
        return (main or away) and (named == account or owners.get(named) == account)

    return allows
