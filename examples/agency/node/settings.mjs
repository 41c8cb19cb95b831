// What the environment says. The office reads the same names: see `office/settings.py`.
import path from 'node:path';

export const state = process.env.AGENCY_STATE ?? 'target/example';
export const secret = process.env.AGENCY_SECRET;
if (!secret) throw new Error('AGENCY_SECRET is missing: what sessions are signed with');
export const trying = 'AGENCY_TRYING' in process.env;
/** The bundle that `office/setup.py` wrote. All processes load the same one. */
export const policies = path.join(state, 'policies');
export const store = `sqlite:${path.join(state, 'sublet.db')}?create=no`;
