// Sessions that the office made: a text, and its signature by the secret that both services have.
import { createHmac, timingSafeEqual } from 'node:crypto';
import { secret } from './settings.mjs';

/** What a bearer token says: `principal`, `realm`, `actor`; null if the office did not sign it, or too long ago. */
export function opened(token) {
  const [text, signature = ''] = token.split('.');
  const wanted = createHmac('sha256', secret).update(text).digest();
  const given = Buffer.from(signature, 'base64url');
  if (given.length !== wanted.length || !timingSafeEqual(given, wanted)) return null;
  const said = JSON.parse(Buffer.from(text, 'base64url').toString());
  return said.until < Date.now() / 1000 ? null : said;
}
