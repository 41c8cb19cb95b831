// The shipped ESLint rule. A decision is truthy whatever it says, so a decision used as a condition
// is reported, with types and without.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import path from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import plugin from '../../bindings-node/eslint.mjs';

const BINDING = fileURLToPath(new URL('../../bindings-node', import.meta.url));
const require = createRequire(path.join(BINDING, 'index.js'));
const { ESLint, Linter } = require('eslint');
const parser = require('@typescript-eslint/parser');

const ASK = "['Account', 'acme'], 'campaign.read', ['Campaign', 'k', 'acme']";
const WRONG = [
  `if (engine.authorize(${ASK})) act();`,
  `if (!engine.authorize(${ASK})) act();`,
  `if (ok && engine.authorize(${ASK})) act();`,
  `const decision = engine.authorize(${ASK}); if (decision) act();`,
  `const decision = await engine.consumeAsync(${ASK}); if (!decision) act();`,
  `const granted = engine.consume(${ASK}) && ok;`,
  `const granted = engine.authorize(${ASK}) ? 1 : 2;`,
  `while (engine.reserve(${ASK}, 1, 1000)) act();`,
  `const granted = Boolean(engine.authorize(${ASK}));`,
  `const granted = !!(await engine.performAsync(['Account', 'acme'], { do: 'close', account: 'acme' }));`,
  "if (engine.login('app.acme.example', 'a@b.example')) act();",
  "if (engine.routeTicket(['Account', 'acme'], ['Account', 'acme'])) act();",
  "if (engine.openTicket(['Account', 'acme'], ['Account', 'acme'])) act();",
  `const able = ['a', 'b'].filter((id) => engine.authorize(['Account', id], 'campaign.read', ['Campaign', 'k', id]));`,
  `const able = ['a', 'b'].some((id) => { return engine.authorize(['Account', id], 'campaign.read', ['Campaign', 'k', id]); });`,
  `if (engine.authorize(${ASK}).orThrow()) act();`,
];
const RIGHT = [
  `if (engine.authorize(${ASK}).allowed) act();`,
  `if (engine.check(${ASK})) act();`,
  `if (await engine.checkAsync(${ASK})) act();`,
  `const { allowed } = await engine.consumeAsync(${ASK}); if (allowed) act();`,
  `engine.authorize(${ASK}).orThrow(); act();`,
  `const able = ['a', 'b'].filter((id) => engine.authorize(['Account', id], 'campaign.read', ['Campaign', 'k', id]).allowed);`,
  "const known = new Set(); if (known.add(1)) act();",
  "const login = engine.login('app.acme.example', 'a@b.example'); if (login.principal) act();",
  `let decision = null; if (ok) decision = engine.authorize(${ASK}); if (decision) act();`,
];

const found = (linter, config, code) => linter.verify(code, [...plugin.configs.recommended, config]).map(({ ruleId, message }) => ruleId ?? message);

test('JavaScript: a decision used as a condition is found', () => {
  const [linter, config] = [new Linter(), { languageOptions: { ecmaVersion: 2024, sourceType: 'module' } }];
  for (const code of WRONG) assert.deepEqual(found(linter, config, code), ['sublet/no-truthy-answer'], code);
  for (const code of RIGHT) assert.deepEqual(found(linter, config, code), [], code);
  const opened = "const policies = Engine.open(); if (policies.authorize(a, b, c)) act();";
  assert.deepEqual(found(linter, config, opened), ['sublet/no-truthy-answer']);
  const named = { ...config, rules: { 'sublet/no-truthy-answer': ['error', { engines: '^rights$' }] } };
  assert.deepEqual(found(linter, named, 'if (this.rights.authorize(a, b, c)) act();'), ['sublet/no-truthy-answer']);
});

test('TypeScript: a decision is recognised by its type', async (context) => {
  // The folder is inside the package, so that its types resolve.
  const folder = mkdtempSync(path.join(BINDING, 'lint-'));
  context.after(() => rmSync(folder, { recursive: true }));
  const head = "import { Engine, type Decision } from '../index.js';\ndeclare const engine: Engine;\ndeclare const rights: Engine;\ndeclare const ok: boolean;\ndeclare function act(): void;\n";
  const typed = [...WRONG, `if (rights.authorize(${ASK})) act();`, 'export const f = (found: Decision): boolean => (found ? true : false);'];
  const fine = [...RIGHT, 'export const f = (found: Decision | null): boolean => (found ? found.allowed : false);', 'declare const other: { authorize(): { ok: boolean } };\nif (other.authorize()) act();'];
  const cases = [...typed.map((code) => [code, 1]), ...fine.map((code) => [code, 0])];
  const files = cases.map(([code], at) => {
    const file = path.join(folder, `case${at}.ts`);
    writeFileSync(file, `${head}${code}\nexport {};\n`);
    return file;
  });
  writeFileSync(path.join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions: { strict: true, target: 'es2022', module: 'nodenext', types: ['node'] }, include: ['*.ts'] }));
  const config = [...plugin.configs.recommended, { files: ['**/*.ts'], languageOptions: { parser, parserOptions: { project: path.join(folder, 'tsconfig.json'), tsconfigRootDir: folder } } }];
  const results = await new ESLint({ cwd: folder, overrideConfigFile: true, overrideConfig: config }).lintFiles(files);
  const byFile = new Map(results.map(({ filePath, messages }) => [filePath, messages]));
  for (const [at, [code, wanted]] of cases.entries()) {
    const messages = byFile.get(files[at]);
    assert.deepEqual(messages.map(({ ruleId, message }) => ruleId ?? message), Array(wanted).fill('sublet/no-truthy-answer'), code);
  }
});
