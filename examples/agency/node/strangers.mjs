// What strangers do through an account's links, in the account's name: they have no session. (C8)
import { appendFile } from 'node:fs/promises';
import path from 'node:path';
import { allowed } from './answers.mjs';
import { engine } from './policy.mjs';
import { state } from './settings.mjs';

const may = (account, action, type, id, host) =>
  allowed(engine().authorize(['Account', account], action, { type, id, account }, { channel: 'public', host }));

export function strangers(app) {
  app.get('/pages/:account/:page', async (request) => {
    const { account, page } = request.params;
    may(account, 'page.view', 'Page', page, request.headers.host);
    return { account, page };
  });

  // The one thing that works whatever became of the account: nobody is kept on a list against their will.
  app.post('/unsubscribe/:account/:contact', async (request) => {
    const { account, contact } = request.params;
    may(account, 'contact.unsubscribe', 'Contact', contact, request.headers.host);
    await appendFile(path.join(state, 'unsubscribed.jsonl'), `${JSON.stringify({ account, contact })}\n`);
    return { code: 'ok' };
  });
}
