// Lint rules for the JavaScript of the whole repository. `make lint` runs them from its root.
import js from '@eslint/js';

const node = Object.fromEntries(
  [
    'AbortController', 'AbortSignal', 'Buffer', 'URL', 'WeakRef', 'FinalizationRegistry', '__dirname', '__filename', 'clearImmediate',
    'clearInterval', 'clearTimeout', 'console', 'exports', 'fetch', 'global', 'globalThis', 'module', 'performance', 'process',
    'queueMicrotask', 'require', 'setImmediate', 'setInterval', 'setTimeout', 'structuredClone', 'TextDecoder', 'TextEncoder',
    'SharedArrayBuffer', 'Atomics', 'gc', 'Response', 'Request', 'Headers', 'Event', 'EventTarget', 'WebAssembly',
  ].map((name) => [name, 'readonly']),
);

export default [
  { ignores: ['**/node_modules/**', '**/target/**', '**/*.d.ts', '**/*.ts'] },
  js.configs.recommended,
  { languageOptions: { ecmaVersion: 2024, sourceType: 'module', globals: node } },
  { files: ['**/*.js'], languageOptions: { sourceType: 'commonjs' } },
  { files: ['tests/**'], rules: { 'no-sparse-arrays': 'off' } },
  { rules: { 'no-unused-vars': ['error', { argsIgnorePattern: '^_', caughtErrors: 'none', ignoreRestSiblings: true }] } },
];
