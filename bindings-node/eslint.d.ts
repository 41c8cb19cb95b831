// The rule that finds answers which are used as booleans: `npm install eslint`.
//
//     import sublet from 'sublet/eslint';
//     export default [...sublet.configs.recommended];

/** A plugin for ESLint 9 and later, with the rule `sublet/no-truthy-answer`. */
declare const plugin: EslintPlugin;

/** A plugin for ESLint. */
export interface EslintPlugin {
  /** The name and the version of the plugin. */
  readonly meta: EslintMeta;
  /** The rules of the plugin. */
  readonly rules: EslintRules;
  /** The configurations of the plugin. */
  readonly configs: EslintConfigs;
}

/** The name and the version of the plugin. */
export interface EslintMeta {
  /** The name. */
  readonly name: string;
  /** The version. */
  readonly version: string;
}

/** The rules of the plugin. */
export interface EslintRules {
  /** Finds answers that are used as booleans. They are objects, and so always truthy. */
  readonly 'no-truthy-answer': object;
}

/** The configurations of the plugin. */
export interface EslintConfigs {
  /** The configuration that enables the rule. */
  readonly recommended: object[];
}

export default plugin;
