// How a call crosses the boundary: a call that crosses as numbers neither writes nor parses JSON.

/**
 * Returns the result of `work`, or its error as code and message, with the number of times that JSON
 * was parsed and written for it. After an error `reads` is null, because errors are JSON.
 */
export function countJson(work) {
  const { parse, stringify } = JSON;
  let [reads, writes] = [0, 0];
  JSON.parse = (...given) => {
    reads += 1;
    return parse(...given);
  };
  JSON.stringify = (...given) => {
    writes += 1;
    return stringify(...given);
  };
  try {
    const given = work();
    return { given, reads, writes };
  } catch (error) {
    return { given: [error.code, error.message], reads: null, writes };
  } finally {
    Object.assign(JSON, { parse, stringify });
  }
}

/** Returns the order of keys and whether each part is frozen, at all depths. */
export function describeForm(value) {
  if (typeof value !== 'object' || value === null) return typeof value;
  return [Object.isFrozen(value), Object.getPrototypeOf(value), Object.entries(value).map(([key, field]) => [key, describeForm(field)])];
}
