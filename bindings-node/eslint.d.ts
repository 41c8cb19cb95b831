// The rule that finds answers which are taken for a yes because they are objects: `npm install eslint`.
//
//     import sublet from 'sublet/eslint';
//     export default [...sublet.configs.recommended];

/** A plugin for ESLint 9 and later, with the rule `sublet/no-truthy-answer`. */
declare const plugin: {
  readonly meta: { readonly name: string; readonly version: string };
  readonly rules: { readonly 'no-truthy-answer': object };
  readonly configs: { readonly recommended: object[] };
};
export default plugin;
