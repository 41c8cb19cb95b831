// What the README shows runs as it stands there.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
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

/** The examples of a file of types: what follows `@example` in a comment. */
const examples = (text) => [...text.matchAll(/@example\n((?:\s*\*(?!\/).*\n)+)/g)].map(([, lines]) => lines.replace(/^\s*\* ?/gm, ''));

test('blocks and examples pass tsc --strict', (context) => {
  // Inside the package: there are the libraries that they import.
  const folder = mkdtempSync(path.join(ROOT, 'bindings-node', 'blocks-'));
  context.after(() => rmSync(folder, { recursive: true }));
  const blocks = ['README.md', 'EMBEDDING.md'].flatMap((name) => [...readFileSync(path.join(ROOT, name), 'utf8').matchAll(/```(?:js|ts|javascript|typescript)\n(.*?)```/gs)].map(([, block]) => [name, block]));
  const types = readdirSync(path.join(ROOT, 'bindings-node')).filter((name) => name.endsWith('.d.ts'));
  const shown = types.flatMap((name) => examples(readFileSync(path.join(ROOT, 'bindings-node', name), 'utf8')).map((block) => [name, block]));
  assert.ok(blocks.length >= 2 && shown.length >= 6, `${blocks.length} blocks, ${shown.length} examples`);
  for (const [at, [name, block]] of [...blocks, ...shown].entries()) writeFileSync(path.join(folder, `${name.replaceAll('.', '-')}-${at}.mts`), block);
  const paths = { sublet: ['../index.d.ts'], 'sublet/*': ['../*.d.ts'] };
  const compilerOptions = { noEmit: true, strict: true, target: 'es2022', module: 'nodenext', types: ['node'], paths };
  writeFileSync(path.join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['*.mts'] }));
  const tsc = path.join(ROOT, 'bindings-node/node_modules/typescript/bin/tsc');
  const done = spawnSync(process.execPath, [tsc, '-p', folder], { encoding: 'utf8' });
  assert.equal(done.status, 0, done.stdout);
  // The examples of the types run, too.
  for (const [name, block] of shown) {
    const file = path.join(folder, 'run.mjs');
    writeFileSync(file, block.replace("'sublet'", "'../index.mjs'"));
    const ran = spawnSync(process.execPath, [file], { encoding: 'utf8' });
    assert.equal(ran.status, 0, `${name}: ${ran.stderr}`);
  }
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
