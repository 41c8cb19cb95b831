// An ESLint plugin. Its rule finds answers that are used as booleans. They are objects, and so truthy.
//
// If the parser knows types (`parserOptions.projectService`), the rule recognises an answer by its
// type. Otherwise it recognises the name of the method, called on a variable that is named like an
// engine or was opened as one.
'use strict';

const { realpathSync } = require('node:fs');
const path = require('node:path');
const { version } = require('./package.json');

/** The methods that return an answer, in both forms. */
const METHODS = ['authorize', 'consume', 'reserve', 'setStock', 'increaseStock', 'decreaseStock', 'perform', 'login', 'loginByKey', 'routeTicket', 'openTicket', 'replyTicket', 'escalateTicket'];
const ANSWERING = new Set(METHODS.flatMap((name) => [name, `${name}Async`]));
/** The methods of `Engine` that open an engine. */
const OPENING = new Set(['open', 'openAsync', 'cedar', 'cedarAsync']);
/** Methods of an array that use the result of their callback as a boolean. */
const PREDICATES = new Set(['every', 'filter', 'find', 'findIndex', 'findLast', 'findLastIndex', 'some']);
const WRAPPERS = new Set(['AwaitExpression', 'ChainExpression', 'TSAsExpression', 'TSNonNullExpression', 'TSSatisfiesExpression', 'TSTypeAssertion']);

/** Returns an expression without `await`, `?.` and types around it. */
function bare(node) {
  let inner = node;
  while (WRAPPERS.has(inner.type)) inner = inner.argument ?? inner.expression;
  return inner;
}

/** Returns the name of the last part of `a.b.c`, `a?.b`, `this.#c`; undefined if it is computed. */
function lastName(node) {
  if (node.type === 'Identifier') return node.name;
  return node.type === 'MemberExpression' && !node.computed ? node.property.name : undefined;
}

/** Returns whether a declaration is in a file of this package. */
function isOurs(declaration) {
  try {
    return path.dirname(realpathSync(declaration.getSourceFile().fileName)) === __dirname;
  } catch {
    return false;
  }
}

/** Returns the function that says whether an expression is an answer of an engine. */
function answerTest(sourceCode, engines) {
  const { parserServices: services } = sourceCode;

  /** Returns the initial value of a variable that never changes. */
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
    const expression = bare(node);
    const name = lastName(expression);
    if (name !== undefined && engines.test(name)) return true;
    const given = expression.type === 'Identifier' ? initial(expression) : expression;
    const opening = given && bare(given);
    return opening?.type === 'CallExpression' && opening.callee.type === 'MemberExpression' && OPENING.has(opening.callee.property.name) && lastName(bare(opening.callee.object)) === 'Engine';
  }

  function isAnswerByType(node) {
    const type = services.getTypeAtLocation(node);
    const parts = type.isUnion() ? type.types : [type];
    const says = (part) => part.getProperty('orThrow')?.declarations?.some(isOurs) === true;
    // A union with `undefined` is a test for a missing value.
    return parts.length > 0 && parts.every(says);
  }

  function isAnswer(node) {
    if (services?.program) return isAnswerByType(node);
    const expression = bare(node);
    if (expression.type === 'Identifier') {
      const given = initial(expression);
      return given !== undefined && given.type !== 'Identifier' && isAnswer(given);
    }
    if (expression.type !== 'CallExpression' || expression.callee.type !== 'MemberExpression') return false;
    const name = lastName(expression.callee);
    return name === 'orThrow' || (ANSWERING.has(name) && isEngine(expression.callee.object));
  }

  return isAnswer;
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
    const isAnswer = answerTest(context.sourceCode, engines);

    /** Reports answers in an expression that is used as a boolean. */
    function look(node) {
      if (node === null || node === undefined) return;
      if (node.type === 'LogicalExpression') {
        // The left side of `&&` and `||` is checked with every LogicalExpression.
        if (node.operator === '??') look(node.left);
        look(node.right);
      } else if (node.type === 'ConditionalExpression') [node.consequent, node.alternate].forEach(look);
      else if (node.type === 'SequenceExpression') look(node.expressions.at(-1));
      else if (isAnswer(node)) context.report({ node, messageId: 'truthy' });
    }

    /** Reports answers that a callback returns. */
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
