// The peer: the rules that the workload meets, in plain JavaScript, written to win. What depends on one login alone is
// worked out beforehand; an answer is three or four look-ups in Maps and a few operations on small integers.

const LOGIN = 1;
const READ = 2;
const WRITE = 4;
const TICKET = 8;
const ALL = 15;
const [OWN, ON_CLIENT, TO_OWNER, TO_PLATFORM] = [0, 1, 2, 3];
const WHITELABEL = ['client_accounts', 'access_levels', 'branding', 'act_as_client'];

/** The kinds of action on one's own that such a status leaves. */
function kindsLeft(own, ofOwner) {
  let blocked = 0;
  if (own.has('closed')) blocked |= ALL;
  if (own.has('abuse') || own.has('by_owner') || ofOwner.has('closed') || ofOwner.has('abuse')) blocked |= LOGIN | READ | WRITE;
  if (own.has('overage') || own.has('unpaid') || ofOwner.has('unpaid')) blocked |= WRITE;
  return ALL & ~blocked;
}

function status(record) {
  return new Set([...(record.disabled ?? []), ...(record.closed ? ['closed'] : [])]);
}

/** Numbers instead of names: accounts by id, members by id, verified domains with the number of their owner. */
function intern(lines) {
  const bits = new Map();
  const mask = (names) => names.reduce((all, name) => all | (bits.get(name) ?? (bits.set(name, 1 << bits.size), bits.get(name))), 0);
  const [packages, levels, statuses, accounts, members, domains] = Array.from({ length: 6 }, () => new Map());
  for (const line of lines.split('\n').filter(Boolean)) {
    const record = JSON.parse(line);
    const { id } = record;
    switch (record.type) {
      case 'Package':
        packages.set(id, record.whitelabel ? mask(record.features) : mask(record.features) & ~mask(WHITELABEL));
        break;
      case 'AccessLevel':
        levels.set(id, mask(record.features));
        break;
      case 'Domain':
        // One that is not verified is as good as none.
        if (record.state === 'verified') domains.set(id, accounts.get(record.owner)?.number ?? -1);
        break;
      case 'Account': {
        const owner = accounts.get(record.owner);
        const [own, ofOwner] = [status(record), statuses.get(record.owner) ?? new Set()];
        statuses.set(id, own);
        const number = accounts.size;
        accounts.set(id, {
          number,
          owner: owner?.number ?? -1,
          realm: owner?.number ?? number,
          features: owner ? (levels.get(record.level) ?? 0) & owner.features : packages.get(record.package),
          kinds: record.confirmed ? kindsLeft(own, ofOwner) : 0,
          away: owner !== undefined && (ofOwner.size > 0 || own.has('abuse')),
        });
        break;
      }
      case 'TeamMember': {
        const account = accounts.get(record.account);
        members.set(id, { ...account, features: account.features & mask(record.grants), kinds: record.confirmed ? account.kinds : 0 });
        break;
      }
      default:
    }
  }
  return { accounts, members, domains, bits };
}

/** Each action: the feature's bit, the kind's, the type of what it is done to, and what is special. */
function actionsOf(kept, bits) {
  const row = (feature, kind, of, special) => ({ feature, kind, of, special });
  const found = new Map([
    ['login.password', row(0, LOGIN, 'Account', OWN)],
    ['member.list', row(bits.get('team'), READ, 'Account', OWN)],
    ['client.edit', row(bits.get('client_accounts'), WRITE, 'Account', ON_CLIENT)],
    ['ticket.to_owner', row(0, TICKET, 'Account', TO_OWNER)],
    ['ticket.to_platform', row(0, TICKET, 'Account', TO_PLATFORM)],
  ]);
  for (const [feature, prefix, of] of kept) {
    // A feature that no package has is a bit that no login has.
    const bit = bits.get(feature) ?? 1 << 31;
    found.set(`${prefix}.read`, row(bit, READ, of, OWN));
    found.set(`${prefix}.edit`, row(bit, WRITE, of, OWN));
    found.set(`${prefix}.delete`, row(bit, WRITE, of, OWN));
  }
  return found;
}

/** `allows(principal, action, resource, host)`, which gives the allow bit. */
export function rules(lines, kept) {
  const { accounts, members, domains, bits } = intern(lines);
  const actions = actionsOf(kept, bits);
  return function allows(principal, action, resource, host) {
    const login = (principal[0] === 'TeamMember' ? members : accounts).get(principal[1]);
    const needs = actions.get(action);
    const owner = domains.get(host);
    if (login === undefined || needs === undefined || owner === undefined) return false;
    if ((login.features & needs.feature) !== needs.feature || (login.kinds & needs.kind) === 0 || resource[0] !== needs.of) return false;
    if (owner !== login.realm && (owner !== -1 || login.owner !== -1)) return false;
    // The account of what the host keeps, or the account itself.
    const named = accounts.get(resource.length === 3 ? resource[2] : resource[1]);
    if (named === undefined) return false;
    switch (needs.special) {
      case OWN:
        return named.number === login.number;
      case ON_CLIENT:
        return login.owner === -1 && named.owner === login.number;
      case TO_OWNER:
        return named.number === login.number && login.owner !== -1 && !login.away;
      default:
        return (login.owner === -1 || login.away) && (named.number === login.number || named.owner === login.number);
    }
  };
}
