/** Progress of a long operation. */
export interface Share {
  readonly done: number;
  readonly of: number;
}

/** Maps the yielded values of `work` and passes on its result. */
export async function* told<From, To, Result>(
  work: AsyncGenerator<From, Result, undefined>,
  as: (step: From) => To,
): AsyncGenerator<To, Result, undefined> {
  for (;;) {
    const { done, value } = await work.next();
    if (done) return value;
    yield as(value);
  }
}
