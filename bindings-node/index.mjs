import sublet from './index.js';

export const { Action, Decision, DeniedError, Engine, Host, LogHandle, ManualClock, Principal, ResourceType, SubletError, command, errorCodes, normaliseHost, verifyDraw } = sublet;
export default sublet;
