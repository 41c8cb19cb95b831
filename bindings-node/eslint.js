// An ESLint plugin. Its one rule finds answers that are taken for a yes because they are objects, and so truthy.
//
// Where the parser knows types (`parserOptions.projectService`), an answer is told by its type; else by the name of the verb, asked of
// something that is called an engine or was opened as one.
'use strict';

const { realpathSync } = require('node:fs');
const path = require('node:path');
const { version } = require('./package.json');

/** The verbs that give an answer, at once and later. */
const VERBS = ['authorize', 'consume', 'reserve', 'set', 'add', 'sub', 'perform', 'login', 'desk', 'openTicket', 'replyTicket', 'escalateTicket'];
const ANSWERING = new Set(VERBS.flatMap((name) => [name, `${name}Async`]));
/** What `Engine` makes an engine with. */
const OPENING = new Set(['open', 'openAsync', 'cedar', 'cedarAsync']);
/** Methods of a list that take what their callback gives for yes or no. */
const PREDICATES = new Set(['every', 'filter', 'find', 'findIndex', 'findLast', 'findLastIndex', 'some']);
const WRAPPERS = new Set(['AwaitExpression', 'ChainExpression', 'TSAsExpression', 'TSNonNullExpression', 'TSSatisfiesExpression', 'TSTypeAssertion']);

function bare(node) {
  let found = node;
  while (WRAPPERS.has(found.type)) found = found.argument ?? found.expression;
  return found;
}

/** The name of the last part of `a.b.c`, `a?.b`, `this.#c`; nothing of what is computed. */
function lastName(node) {
  if (node.type === 'Identifier') return node.name;
  return node.type === 'MemberExpression' && !node.computed ? node.property.name : undefined;
}

/** Whether a declaration stands in one of our files. */
function isOurs(declaration) {
  try {
    return path.dirname(realpathSync(declaration.getSourceFile().fileName)) === __dirname;
  } catch {
    return false;
  }
}

const rule = {
  meta: {
    type: 'problem',
    docs: { description: 'disallow taking an answer of an engine for a boolean: it is an object, and so truthy' },
    messages: { truthy: 'An answer is an object, and so truthy whatever it says: ask its `allowed`, or `orThrow()`.' },
    schema: [{ type: 'object', properties: { engines: { type: 'string' } }, additionalProperties: false }],
  },

  create(context) {
    const engines = new RegExp(context.options[0]?.engines ?? 'engine|sublet', 'iu');
    const { sourceCode } = context;
    const { parserServices: services } = sourceCode;

    /** What a name that never changes was given at its declaration. */
    function initial(node) {
      let scope = sourceCode.getScope(node);
      while (scope !== null && !scope.set.has(node.name)) scope = scope.upper;
      const variable = scope?.set.get(node.name);
      const [definition, ...others] = variable?.defs ?? [];
      if (definition?.type !== 'Variable' || others.length > 0 || definition.node.id.type !== 'Identifier') return undefined;
      if (variable.references.some((reference) => reference.isWrite() && !reference.init)) return undefined;
      return definition.node.init ?? undefined;
    }

    function isEngine(node) {
      const found = bare(node);
      const name = lastName(found);
      if (name !== undefined && engines.test(name)) return true;
      const given = found.type === 'Identifier' ? initial(found) : found;
      const made = given && bare(given);
      return made?.type === 'CallExpression' && made.callee.type === 'MemberExpression' && OPENING.has(made.callee.property.name) && lastName(bare(made.callee.object)) === 'Engine';
    }

    function isAnswerByType(node) {
      const type = services.getTypeAtLocation(node);
      const parts = type.isUnion() ? type.types : [type];
      const says = (part) => part.getProperty('orThrow')?.declarations?.some(isOurs) === true;
      // Something that may be missing is asked for that.
      return parts.length > 0 && parts.every(says);
    }

    function isAnswer(node) {
      if (services?.program) return isAnswerByType(node);
      const found = bare(node);
      if (found.type === 'Identifier') {
        const given = initial(found);
        return given !== undefined && given.type !== 'Identifier' && isAnswer(given);
      }
      if (found.type !== 'CallExpression' || found.callee.type !== 'MemberExpression') return false;
      const name = lastName(found.callee);
      return name === 'orThrow' || (ANSWERING.has(name) && isEngine(found.callee.object));
    }

    /** What is taken for yes or no. */
    function look(node) {
      if (node === null || node === undefined) return;
      if (node.type === 'LogicalExpression') {
        // What stands left of `&&` and `||` is looked at wherever that is.
        if (node.operator === '??') look(node.left);
        look(node.right);
      } else if (node.type === 'ConditionalExpression') [node.consequent, node.alternate].forEach(look);
      else if (node.type === 'SequenceExpression') look(node.expressions.at(-1));
      else if (isAnswer(node)) context.report({ node, messageId: 'truthy' });
    }

    /** The results of a callback. */
    function lookInto(callback) {
      if (callback?.type !== 'ArrowFunctionExpression' && callback?.type !== 'FunctionExpression') return;
      if (callback.body.type !== 'BlockStatement') look(callback.body);
      else for (const statement of callback.body.body) if (statement.type === 'ReturnStatement') look(statement.argument);
    }

    const test = (node) => look(node.test);
    return {
      IfStatement: test,
      WhileStatement: test,
      DoWhileStatement: test,
      ForStatement: test,
      ConditionalExpression: test,
      UnaryExpression: (node) => { if (node.operator === '!') look(node.argument); },
      LogicalExpression: (node) => { if (node.operator !== '??') look(node.left); },
      CallExpression: (node) => {
        if (node.callee.type === 'Identifier' && node.callee.name === 'Boolean' && node.arguments.length > 0) look(node.arguments[0]);
        else if (node.callee.type === 'MemberExpression' && PREDICATES.has(lastName(node.callee))) lookInto(node.arguments[0]);
      },
    };
  },
};

const plugin = { meta: { name: 'sublet', version }, rules: { 'no-truthy-answer': rule }, configs: {} };
plugin.configs.recommended = [{ name: 'sublet/recommended', plugins: { sublet: plugin }, rules: { 'sublet/no-truthy-answer': 'error' } }];

module.exports = plugin;
