import found from './prometheus.js';

export const { collect } = found;
