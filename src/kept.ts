/** Promises kept by a key. */

/** The value under `key`, made once, for all who ask meanwhile too; a failure is not kept, since a later attempt may succeed. */
export function kept<K, T>(map: Map<K, Promise<T>>, key: K, make: () => Promise<T>): Promise<T> {
  const known = map.get(key);
  if (known) return known;
  const value = make();
  map.set(key, value);
  value.catch(() => map.delete(key));
  return value;
}
