// What the README shows runs as it stands there.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const BLOCKS = [...readFileSync(path.join(ROOT, 'README.md'), 'utf8').matchAll(/```js\n(.*?)```/gs)].map(([, block]) => block);

test('each block of the README runs', (context) => {
  assert.equal(BLOCKS.length, 1);
  const folder = mkdtempSync(path.join(tmpdir(), 'sublet-'));
  context.after(() => rmSync(folder, { recursive: true }));
  const file = path.join(folder, 'block.mjs');
  const from = pathToFileURL(path.join(ROOT, 'bindings-node/index.mjs')).href;
  writeFileSync(file, `${BLOCKS[0].replace("'sublet'", JSON.stringify(from))}\nconsole.log(bits);\n`);
  const out = execFileSync(process.execPath, [file], { cwd: ROOT, encoding: 'utf8' });
  assert.match(out, /directory\.unknown_account/);
  assert.match(out, /\[ true \]/);
});

test('the block about embedding runs', (context) => {
  const [block] = /```js\n(.*?)```/s.exec(readFileSync(path.join(ROOT, 'EMBEDDING.md'), 'utf8')).slice(1);
  const folder = mkdtempSync(path.join(tmpdir(), 'sublet-'));
  context.after(() => rmSync(folder, { recursive: true }));
  const from = pathToFileURL(path.join(ROOT, 'bindings-node/index.mjs')).href;
  writeFileSync(path.join(folder, 'block.mjs'), block.replace("'sublet'", JSON.stringify(from)));
  const out = execFileSync(process.execPath, ['block.mjs'], { cwd: folder, encoding: 'utf8' });
  assert.match(out, /faults: \[\]/);
});
