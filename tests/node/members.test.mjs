// Each member of the types has JSDoc, with the texts of `bindings-python/members.toml`.
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';

const BINDING = fileURLToPath(new URL('../../bindings-node', import.meta.url));
const require = createRequire(path.join(BINDING, 'index.js'));
const ts = require('typescript');
const { errorCodes } = require('./index.js');

const files = readdirSync(BINDING).filter((name) => name.endsWith('.d.ts'));

const isDeclaration = (node) => ts.isClassDeclaration(node) || ts.isInterfaceDeclaration(node) || ts.isTypeAliasDeclaration(node)
  || ts.isFunctionDeclaration(node) || ts.isVariableStatement(node);
const isMember = (node) => (ts.isTypeElement(node) || ts.isClassElement(node)) && !ts.isIndexSignatureDeclaration(node);
/** Members within the arguments of a type, or of the type of an alias, are parts of its text. */
const isNested = (node) => ts.findAncestor(node, (parent) => ts.isTypeReferenceNode(parent) || ts.isTypeAliasDeclaration(parent)) !== undefined;

/** The declarations and members of a file with their comments. */
function documented(name) {
  const source = ts.createSourceFile(name, readFileSync(path.join(BINDING, name), 'utf8'), ts.ScriptTarget.Latest, true);
  const found = [];
  const visit = (node, owner) => {
    const title = node.name?.getText() ?? (ts.isConstructorDeclaration(node) ? 'constructor' : '');
    const isPrivate = title.startsWith('#');
    if (isDeclaration(node) || (isMember(node) && !isPrivate && !isNested(node))) {
      found.push({ title: `${name}: ${owner}${title}`, text: ts.getJSDocCommentsAndTags(node).map((comment) => comment.getText()).join('\n') });
    }
    ts.forEachChild(node, (child) => visit(child, isDeclaration(node) ? `${title}.` : owner));
  };
  visit(source, '');
  return found;
}

const all = files.flatMap(documented);

test('each member of the types has JSDoc', () => {
  assert.ok(all.length > 550, `${all.length} members`);
  assert.deepEqual(all.filter(({ text }) => text === '').map(({ title }) => title), []);
});

test('codes after @throws are codes of the engine', () => {
  const known = errorCodes();
  const thrown = all.flatMap(({ title, text }) => [...text.matchAll(/@throws [^@]*/g)].flatMap(([part]) => [...part.matchAll(/`([a-z]+\.[a-z_]+)`/g)].map(([, code]) => [title, code])));
  assert.ok(thrown.length > 100);
  assert.deepEqual(thrown.filter(([, code]) => !Object.hasOwn(known, code)), []);
});

test('the main methods have an example', () => {
  for (const name of ['open', 'check', 'authorize', 'consume', 'reserve', 'perform', 'applyChanges', 'login', 'subscribe', 'statement']) {
    assert.ok(all.some(({ title, text }) => title.endsWith(`.${name}`) && text.includes('@example')), name);
  }
});

test('the literal types have all error codes', () => {
  const text = readFileSync(path.join(BINDING, 'codes.d.ts'), 'utf8');
  const [, list] = /type ErrorCode =([^;]*);/.exec(text);
  assert.deepEqual([...list.matchAll(/'([^']+)'/g)].map(([, code]) => code), Object.keys(errorCodes()).sort());
});
