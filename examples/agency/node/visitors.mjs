// Who asks: from the bearer token and the `Host` header, what every question to Sublet needs.
import { Refused } from './answers.mjs';
import { opened } from './sessions.mjs';

/** The login of a request, and what surrounds its questions. */
export function visitor(request) {
  const session = opened((request.headers.authorization ?? '').replace(/^Bearer /, ''));
  if (!session) throw new Refused('session_missing', 401);
  return { principal: session.principal, around: { host: request.headers.host, realm: session.realm, actor: session.actor } };
}

/** Whoever did not hear an answer asks again with the same key: it is done once. */
export const key = (request) => request.headers['idempotency-key'];
