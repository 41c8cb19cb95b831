import found from './eslint.js';

export default found;
