import sublet from './index.js';

export const { Decision, Engine, SubletError, command, errorCodes, normaliseHost } = sublet;
export default sublet;
