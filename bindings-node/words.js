// Words that recur, by number: types, actions and hosts. They are known by their text alone: a caller's arrays may change.
'use strict';

const { KINDS, rest, retire, take } = require('./handles.js');

/** Past this many, all are forgotten. */
const MOST = 65_536;
const LONGEST = 300;
const NEAR = 256;

/** The same text as the one string that code has for it; not a piece of a larger one, which it would keep alive. */
const interned = (text) => Object.keys({ [text]: 0 })[0];

let size = 0;

/** Words of one kind. */
class Words {
  constructor(kind) {
    this.kind = kind;
    this.known = new Map();
  }

  /** The number of this text; 0 if it shall have none. */
  number(text) {
    return this.known.get(text) ?? this.learn(text);
  }

  learn(text) {
    // Within one long list more may be learnt than are kept after it.
    if (text.length > LONGEST || size >= 2 * MOST || !text.isWellFormed()) return 0;
    const own = interned(text);
    const found = this.kind === KINDS.action ? take(this.kind, 'Action', own) : take(this.kind, own, '');
    this.known.set(own, found);
    size += 1;
    return found;
  }

  forget() {
    for (const number of this.known.values()) retire(number);
    this.known.clear();
  }
}

/** Types are few and written out in code: to find one among those asked lately is cheaper than the map. */
class Types extends Words {
  constructor() {
    super(KINDS.resourceType);
    this.texts = new Array(NEAR).fill('');
    this.numbers = new Array(NEAR).fill(0);
  }

  number(text) {
    const { length } = text;
    if (length === 0) return 0;
    const place = (text.charCodeAt(0) * 3 + text.charCodeAt(length - 1) * 31 + length * 5) & (NEAR - 1);
    if (this.texts[place] === text) return this.numbers[place];
    const found = super.number(text);
    if (found !== 0) {
      this.texts[place] = interned(text);
      this.numbers[place] = found;
    }
    return found;
  }

  forget() {
    super.forget();
    this.texts.fill('');
  }
}

const [types, actions, hosts] = [new Types(), new Words(KINDS.action), new Words(KINDS.host)];

/** Before a question, when no number is written down outside of a conversion. */
function tidy() {
  rest();
  if (size <= MOST) return;
  for (const words of [types, actions, hosts]) words.forget();
  size = 0;
}

module.exports = { actions, hosts, tidy, types };
