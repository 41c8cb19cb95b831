// Methods that decide a request. `index.d.ts` exports these types.

import type { Abortable } from './call_options.js';
import type { Decision, Explanation } from './decision.js';
import type { ActionRef, Columns, Environment, ExplainOptions, PrincipalRef, Request, Resource } from './requests.js';

/** The methods that decide a request, or many of them. */
export interface DecisionMethods {
  /**
   * Decides whether `principal` may do `action` on `resource` now, and returns the decision
   * with its code and policies. With an `amount` of a metered action, also decides whether
   * the amount fits, and returns the quota; nothing is consumed.
   *
   * @throws {SubletError} With the code `input.unknown_action`, `input.action_resource`,
   * `input.amount`, `input.attribute_required` or `input.context`.
   * @example
   * import { Engine } from 'sublet';
   * const engine = Engine.open();
   * const decision = engine.authorize(['Account', 'acme'], 'campaign.read', ['Campaign', 'k', 'acme']);
   * if (!decision.allowed) console.log(decision.code); // principal_unknown
   */
  authorize(principal: PrincipalRef, action: ActionRef, resource: Resource, environment?: Environment): Decision;
  /**
   * `authorize` off the event loop.
   *
   * Decides whether `principal` may do `action` on `resource` now, and returns the decision
   * with its code and policies. With an `amount` of a metered action, also decides whether
   * the amount fits, and returns the quota; nothing is consumed.
   *
   * @throws {SubletError} Rejects with the code `input.unknown_action`,
   * `input.action_resource`, `input.amount`, `input.attribute_required` or `input.context`.
   */
  authorizeAsync(principal: PrincipalRef, action: ActionRef, resource: Resource, environment?: Environment & Abortable): Promise<Decision>;
  /**
   * Returns the allow bit of `authorize`. It is fastest with handles, and with a type, an id
   * and an account for a resource of your own.
   *
   * @throws {SubletError} With the code `input.unknown_action`, `input.action_resource`,
   * `input.amount`, `input.attribute_required` or `input.context`.
   * @example
   * import { Engine } from 'sublet';
   * const engine = Engine.open();
   * console.log(engine.check(['Account', 'acme'], 'campaign.read', ['Campaign', 'k', 'acme']));
   */
  check(principal: PrincipalRef, action: ActionRef, resource: Resource, environment?: Environment): boolean;
  /**
   * `check` off the event loop.
   *
   * Returns the allow bit of `authorize`. It is fastest with handles, and with a type, an id
   * and an account for a resource of your own.
   *
   * @throws {SubletError} Rejects with the code `input.unknown_action`,
   * `input.action_resource`, `input.amount`, `input.attribute_required` or `input.context`.
   */
  checkAsync(principal: PrincipalRef, action: ActionRef, resource: Resource, environment?: Environment & Abortable): Promise<boolean>;
  /**
   * Returns why a decision is as it is: the code in words, the policy that decided, the facts
   * that it read and what would have to change. Then what else gives the same answer, and
   * every policy (E8). The words are in `language`, such as `de`, or in the bundle's default
   * one.
   *
   * @throws {SubletError} With the code `input.unknown_action` or `input.action_resource`.
   */
  explain(principal: PrincipalRef, action: ActionRef, resource: Resource, environment?: Environment & ExplainOptions): Explanation;
  /**
   * `explain` off the event loop.
   *
   * Returns why a decision is as it is: the code in words, the policy that decided, the facts
   * that it read and what would have to change. Then what else gives the same answer, and
   * every policy (E8). The words are in `language`, such as `de`, or in the bundle's default
   * one.
   *
   * @throws {SubletError} Rejects with the code `input.unknown_action` or
   * `input.action_resource`.
   */
  explainAsync(principal: PrincipalRef, action: ActionRef, resource: Resource, environment?: Environment & ExplainOptions & Abortable): Promise<Explanation>;
  /**
   * Returns the actions that `principal` may do on `resource` now, sorted. Each action gets
   * the fields of `context` that it declares. It is left out if it requires a field that is
   * missing.
   *
   * @throws {SubletError} With the code `input.context` or `input.not_tenancy`.
   */
  permittedActions(principal: PrincipalRef, resource: Resource, environment?: Environment): string[];
  /**
   * `permittedActions` off the event loop.
   *
   * Returns the actions that `principal` may do on `resource` now, sorted. Each action gets
   * the fields of `context` that it declares. It is left out if it requires a field that is
   * missing.
   *
   * @throws {SubletError} Rejects with the code `input.context` or `input.not_tenancy`.
   */
  permittedActionsAsync(principal: PrincipalRef, resource: Resource, environment?: Environment & Abortable): Promise<string[]>;
  /**
   * Decides many requests, and returns the decisions in their order. All requests see one
   * version of policies and directory. The `Async` form also converts the requests in slices:
   * do not change them before the promise settles.
   *
   * @throws {SubletError} With the code `input.item` or `input.columns`.
   */
  authorizeMany(requests: readonly Request[] | Columns): Decision[];
  /**
   * Returns the allow bits of `authorizeMany`. All requests see one version of policies and
   * directory. The `Async` form also converts the requests in slices: do not change them
   * before the promise settles.
   *
   * @throws {SubletError} With the code `input.item` or `input.columns`.
   */
  checkMany(requests: readonly Request[] | Columns): boolean[];
  /**
   * `authorizeMany` off the event loop.
   *
   * Decides many requests, and returns the decisions in their order. All requests see one
   * version of policies and directory. The `Async` form also converts the requests in slices:
   * do not change them before the promise settles.
   *
   * @throws {SubletError} Rejects with the code `input.item` or `input.columns`.
   */
  authorizeManyAsync(requests: readonly Request[] | Columns, options?: Abortable): Promise<Decision[]>;
  /**
   * `checkMany` off the event loop.
   *
   * Returns the allow bits of `authorizeMany`. All requests see one version of policies and
   * directory. The `Async` form also converts the requests in slices: do not change them
   * before the promise settles.
   *
   * @throws {SubletError} Rejects with the code `input.item` or `input.columns`.
   */
  checkManyAsync(requests: readonly Request[] | Columns, options?: Abortable): Promise<boolean[]>;
}
