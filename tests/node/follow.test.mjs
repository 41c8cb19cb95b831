// Long work runs off the event loop: loading policies, and loading large changes of other
// processes.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test, { after } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Engine } from '../../bindings-node/index.mjs';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const AGENCY = readFileSync(path.join(ROOT, 'policies/tests/agency.jsonl'), 'utf8');
const RECORDS = Number(process.env.SUBLET_RECORDS ?? 30_000);
const ASKED = [['Account', 'acme'], 'campaign.read', ['Campaign', 'k', 'acme'], { host: 'dash.marketingmaster.example' }];
const folder = mkdtempSync(path.join(tmpdir(), 'sublet-'));
after(() => rmSync(folder, { recursive: true }));

/**
 * Returns the awaited value, the time that it took, and the longest time that the event loop stood
 * still meanwhile.
 */
async function measureCall(start) {
  let [last, longest] = [performance.now(), 0];
  const tick = () => {
    const now = performance.now();
    longest = Math.max(longest, now - last);
    last = now;
  };
  const timer = setInterval(tick, 1);
  const begun = performance.now();
  const answer = await start();
  tick();
  clearInterval(timer);
  return { answer, time: performance.now() - begun, longest };
}

/** Writes a directory with this many additional records. Their names contain the round. */
function writeDirectory(round) {
  const file = path.join(folder, `${round}.jsonl`);
  const more = Array.from({ length: RECORDS }, (_, at) => `{"type":"Operator","id":"o${round}-${at}","email":"o${round}-${at}@x.example"}\n`);
  writeFileSync(file, AGENCY + more.join(''));
  return file;
}

test('a large change is loaded off the event loop', async (context) => {
  const store = `sqlite:${path.join(folder, 'a.db')}`;
  const other = await Engine.openAsync(undefined, { store });
  await other.importLinesAsync(AGENCY);
  const engine = await Engine.openAsync(undefined, { store });
  const forms = {
    checkAsync: () => engine.checkAsync(...ASKED),
    refreshAsync: () => engine.refreshAsync(),
    checkManyAsync: () => engine.checkManyAsync([{ principal: ASKED[0], action: ASKED[1], resource: ASKED[2], ...ASKED[3] }]),
  };
  await other.importFile(writeDirectory(0));
  const begun = performance.now();
  assert.equal(engine.check(...ASKED), true);
  const plain = performance.now() - begun;
  for (const [at, [name, ask]] of Object.entries(forms).entries()) {
    const revision = await other.importFile(writeDirectory(at + 1));
    const { answer, time, longest } = await measureCall(ask);
    assert.deepEqual(answer, { checkAsync: true, refreshAsync: revision, checkManyAsync: [true] }[name]);
    assert.notEqual(engine.getRecord(['Operator', `o${at + 1}-7`]), null);
    context.diagnostic(`${name}: ${time.toFixed(0)} ms, the loop stood still for ${longest.toFixed(0)} ms; a plain check ${plain.toFixed(0)} ms`);
    assert.ok(longest < Math.max(50, plain / 3), `${name} held the loop for ${longest} ms`);
  }
});

test('policies are loaded off the event loop', async (context) => {
  const engine = Engine.open();
  engine.importLines(AGENCY);
  const begun = performance.now();
  const print = engine.reload();
  const plain = performance.now() - begun;
  const { answer, time, longest } = await measureCall(async () => {
    const loading = engine.reloadAsync();
    assert.equal(engine.check(...ASKED), true);
    return loading;
  });
  assert.equal(answer, print);
  context.diagnostic(`reloadAsync: ${time.toFixed(0)} ms, the loop stood still for ${longest.toFixed(0)} ms; reload ${plain.toFixed(0)} ms`);
  assert.ok(longest < Math.max(50, plain / 3), `the loop stood still for ${longest} ms`);
  await assert.rejects(engine.reloadAsync({ 'catalog.json': '{' }), (error) => error.family === 'bundle');
  await assert.rejects(engine.reloadAsync(undefined, { signal: AbortSignal.abort(new Error('no')) }), { message: 'no' });
  assert.equal(engine.bundle().fingerprint, print);
});
