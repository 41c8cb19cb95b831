// Who asks: from the bearer token or the key, and the `Host` header, what every question to Sublet needs.
import { Refused } from './answers.mjs';
import { engine, now } from './policy.mjs';
import { opened } from './sessions.mjs';

/** A program shows its key with each request: that is a session of one request, which begins here. Strangers are told one thing. (I7, D7) */
function identify_program(key, host) {
  const found = engine().loginByKey(host, key);
  if (found.allowed) return { principal: found.principal, around: { host, sessionStart: now() } };
  console.warn(`key refused: ${found.logCode}`);
  throw new Refused(found.publicCode, 401);
}

/** The login of a request, and what surrounds its questions. */
export function visitor(request) {
  const { 'x-api-key': key, host } = request.headers;
  if (key) return identify_program(key, host);
  const session = opened((request.headers.authorization ?? '').replace(/^Bearer /, ''));
  if (!session) throw new Refused('session_missing', 401);
  return { principal: session.principal, around: { host, realm: session.realm, sessionStart: session.began, actor: session.actor } };
}

/** Whoever did not hear an answer asks again with the same key: it is done once. */
export const key = (request) => request.headers['idempotency-key'];
