// Runs the code blocks of the documents. The blocks of one page share one namespace, in the order
// of the page.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const BINDING = path.join(ROOT, 'bindings-node');

/** Returns the JavaScript blocks of a page as one script. */
const script = (text) => [...text.matchAll(/^```(?:js|ts)\n(.*?)^```$/gms)].map(([, block]) => block).join('\n');

const pages = ['README.md', 'CONTRIBUTING.md', ...readdirSync(path.join(ROOT, 'docs'), { recursive: true }).map((name) => path.join('docs', name))]
  .filter((name) => name.endsWith('.md'))
  .map((name) => [name, script(readFileSync(path.join(ROOT, name), 'utf8'))])
  .filter(([, code]) => code !== '');

/** Returns the examples of a file of types: the text after `@example` in a comment. */
const examples = (text) => [...text.matchAll(/@example\n((?:\s*\*(?!\/).*\n)+)/g)].map(([, lines]) => lines.replace(/^\s*\* ?/gm, ''));

for (const [name, code] of pages) {
  test(`the blocks of ${name} run`, (context) => {
    const folder = mkdtempSync(path.join(tmpdir(), 'sublet-'));
    context.after(() => rmSync(folder, { recursive: true }));
    symlinkSync(path.join(ROOT, 'policies'), path.join(folder, 'policies'));
    mkdirSync(path.join(folder, 'node_modules'));
    symlinkSync(BINDING, path.join(folder, 'node_modules', 'sublet'));
    writeFileSync(path.join(folder, 'page.mjs'), code);
    const out = execFileSync(process.execPath, ['--preserve-symlinks', 'page.mjs'], { cwd: folder, encoding: 'utf8', timeout: 60_000 });
    // A code or a list in a comment after `console.log` is its expected output.
    for (const [, shown] of code.matchAll(/console\.log\(.*\); \/\/ (\w+(?:[._]\w+)+|\[.*\])$/gm)) assert.ok(out.includes(shown), `${shown} is not printed:\n${out}`);
  });
}

test('blocks and examples pass tsc --strict', (context) => {
  // The folder is inside the package, because the libraries that the examples import are installed
  // there.
  const folder = mkdtempSync(path.join(BINDING, 'blocks-'));
  context.after(() => rmSync(folder, { recursive: true }));
  const types = readdirSync(BINDING).filter((name) => name.endsWith('.d.ts'));
  const shown = types.flatMap((name) => examples(readFileSync(path.join(BINDING, name), 'utf8')).map((block) => [name, block]));
  assert.ok(pages.length >= 2 && shown.length >= 6, `${pages.length} pages, ${shown.length} examples`);
  for (const [at, [name, block]] of [...pages, ...shown].entries()) writeFileSync(path.join(folder, `${name.replace(/[./\\]/g, '-')}-${at}.mts`), block);
  const paths = { sublet: ['../index.d.ts'], 'sublet/*': ['../*.d.ts'] };
  const compilerOptions = { noEmit: true, strict: true, target: 'es2022', module: 'nodenext', types: ['node'], paths };
  writeFileSync(path.join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['*.mts'] }));
  const tsc = path.join(BINDING, 'node_modules/typescript/bin/tsc');
  const done = spawnSync(process.execPath, [tsc, '-p', folder], { encoding: 'utf8' });
  assert.equal(done.status, 0, done.stdout);
  // The examples of the types run, too.
  for (const [name, block] of shown) {
    const file = path.join(folder, 'run.mjs');
    writeFileSync(file, block.replace("'sublet'", JSON.stringify(pathToFileURL(path.join(BINDING, 'index.mjs')).href)));
    const ran = spawnSync(process.execPath, [file], { encoding: 'utf8' });
    assert.equal(ran.status, 0, `${name}: ${ran.stderr}`);
  }
});
