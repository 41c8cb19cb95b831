// Methods about logins and support tickets. `index.d.ts` exports these types.

import type { Abortable, HostsOfOptions, LoginHostsOptions, LoginOptions } from './call_options.js';
import type { AccountHosts, Login, LoginHosts, TicketOutcome, TicketRoute } from './decision.js';
import type { Host } from './handles.js';
import type { Environment, PrincipalRef, Resource } from './requests.js';

/** The methods about logins and support tickets. */
export interface LoginMethods {
  /**
   * Decides whether an e-mail may log in at a host, and as which principal; returns the
   * answer. `action` is the credential flow, by default the password (D6).
   *
   * Every refusal has the same `publicCode`, and takes the same time whether or not the
   * e-mail is known. After you have checked the password, `loginHosts` returns the precise
   * code and the hosts at which the login is admitted (D7).
   *
   * @throws {SubletError} With the code `input.not_a_login`, `input.unknown_action` or
   * `input.not_tenancy`.
   * @example
   * import { Engine } from 'sublet';
   * const engine = Engine.open();
   * const login = engine.login('app.acme.example', 'hello@bakery.example');
   * if (!login.allowed) console.log(login.publicCode); // login_refused
   */
  login(host: string | Host, email: string, options?: LoginOptions): Login;
  /**
   * `login` off the event loop.
   *
   * Decides whether an e-mail may log in at a host, and as which principal; returns the
   * answer. `action` is the credential flow, by default the password (D6).
   *
   * Every refusal has the same `publicCode`, and takes the same time whether or not the
   * e-mail is known. After you have checked the password, `loginHosts` returns the precise
   * code and the hosts at which the login is admitted (D7).
   *
   * @throws {SubletError} Rejects with the code `input.not_a_login`, `input.unknown_action`
   * or `input.not_tenancy`.
   */
  loginAsync(host: string | Host, email: string, options?: LoginOptions & Abortable): Promise<Login>;
  /**
   * Decides whether a program with this key may log in at a host, and as which service
   * account; returns the answer (I7).
   *
   * Every refusal has the same `publicCode`, and takes the same time whether or not the key
   * is known. The event of the call has the principal and the instant, so that you can show
   * the last use of a key. Call it for each request of a program, or exchange the key for a
   * session that ends no later than the key.
   *
   * @throws {SubletError} With the code `input.unknown_action` or `input.not_tenancy`.
   * @example
   * import { Engine } from 'sublet';
   * const engine = Engine.open();
   * const login = engine.loginByKey('app.acme.example', '0123456789abcdef');
   * if (!login.allowed) console.log(login.publicCode); // login_refused
   */
  loginByKey(host: string | Host, key: string): Login;
  /**
   * `loginByKey` off the event loop.
   *
   * Decides whether a program with this key may log in at a host, and as which service
   * account; returns the answer (I7).
   *
   * Every refusal has the same `publicCode`, and takes the same time whether or not the key
   * is known. The event of the call has the principal and the instant, so that you can show
   * the last use of a key. Call it for each request of a program, or exchange the key for a
   * session that ends no later than the key.
   *
   * @throws {SubletError} Rejects with the code `input.unknown_action` or
   * `input.not_tenancy`.
   */
  loginByKeyAsync(host: string | Host, key: string, options?: Abortable): Promise<Login>;
  /**
   * Returns the hosts at which a login is admitted, and the precise code of its login at
   * `host` (D7, D9).
   *
   * Call it after you have checked the password, and for links in e-mails. One call checks at
   * most 50 domains; pass the `next` of its answer as `after` to go on.
   *
   * @throws {SubletError} With the code `input.not_a_login`, `input.unknown_action` or
   * `input.not_tenancy`.
   */
  loginHosts(principal: PrincipalRef, options?: LoginHostsOptions): LoginHosts;
  /**
   * Returns the hosts at which the logins of an account come in, for links in e-mails (D9). A
   * client has the domains of its owner, a main account those of the platform and its own.
   *
   * No policy is asked: `loginHosts` says where a login is admitted. One call returns at most
   * 1,000 hosts; pass the `next` of its answer as `after` to go on.
   *
   * @throws {SubletError} With the code `directory.unknown_account` or `input.not_tenancy`.
   */
  hostsOf(account: string, options?: HostsOfOptions): AccountHosts;
  /**
   * `hostsOf` off the event loop.
   *
   * Returns the hosts at which the logins of an account come in, for links in e-mails (D9). A
   * client has the domains of its owner, a main account those of the platform and its own.
   *
   * No policy is asked: `loginHosts` says where a login is admitted. One call returns at most
   * 1,000 hosts; pass the `next` of its answer as `after` to go on.
   *
   * @throws {SubletError} Rejects with the code `directory.unknown_account` or
   * `input.not_tenancy`.
   */
  hostsOfAsync(account: string, options?: HostsOfOptions & Abortable): Promise<AccountHosts>;
  /**
   * Returns which desk resolves a support ticket of `principal` about `about`.
   *
   * @throws {SubletError} With the code `input.not_tenancy`.
   */
  routeTicket(principal: PrincipalRef, about: Resource, environment?: Environment): TicketRoute;
  /**
   * `routeTicket` off the event loop.
   *
   * Returns which desk resolves a support ticket of `principal` about `about`.
   *
   * @throws {SubletError} Rejects with the code `input.not_tenancy`.
   */
  routeTicketAsync(principal: PrincipalRef, about: Resource, environment?: Environment & Abortable): Promise<TicketRoute>;
  /**
   * Returns where a ticket goes that `principal` opens about `about`: an account, or a client
   * of the owner (T1, T2, T4).
   *
   * @throws {SubletError} With the code `input.not_tenancy`.
   */
  openTicket(principal: PrincipalRef, about: Resource, environment?: Environment): TicketOutcome;
  /**
   * `openTicket` off the event loop.
   *
   * Returns where a ticket goes that `principal` opens about `about`: an account, or a client
   * of the owner (T1, T2, T4).
   *
   * @throws {SubletError} Rejects with the code `input.not_tenancy`.
   */
  openTicketAsync(principal: PrincipalRef, about: Resource, environment?: Environment & Abortable): Promise<TicketOutcome>;
  /**
   * Returns whether `principal` may reply to `ticket`, and where the ticket goes now. The
   * attribute `desk` of the ticket says where it was (T3).
   *
   * @throws {SubletError} With the code `input.not_tenancy` or `input.attribute_required`.
   */
  replyTicket(principal: PrincipalRef, ticket: Resource, environment?: Environment): TicketOutcome;
  /**
   * `replyTicket` off the event loop.
   *
   * Returns whether `principal` may reply to `ticket`, and where the ticket goes now. The
   * attribute `desk` of the ticket says where it was (T3).
   *
   * @throws {SubletError} Rejects with the code `input.not_tenancy` or
   * `input.attribute_required`.
   */
  replyTicketAsync(principal: PrincipalRef, ticket: Resource, environment?: Environment & Abortable): Promise<TicketOutcome>;
  /**
   * Returns where the ticket goes that `principal` opens because it cannot resolve the
   * `ticket` of its client (T4).
   *
   * @throws {SubletError} With the code `input.not_tenancy` or `input.attribute_required`.
   */
  escalateTicket(principal: PrincipalRef, ticket: Resource, environment?: Environment): TicketOutcome;
  /**
   * `escalateTicket` off the event loop.
   *
   * Returns where the ticket goes that `principal` opens because it cannot resolve the
   * `ticket` of its client (T4).
   *
   * @throws {SubletError} Rejects with the code `input.not_tenancy` or
   * `input.attribute_required`.
   */
  escalateTicketAsync(principal: PrincipalRef, ticket: Resource, environment?: Environment & Abortable): Promise<TicketOutcome>;
}
