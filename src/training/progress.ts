/** How far something long has come. */
export interface Share {
  readonly done: number;
  readonly of: number;
}

/** The steps of `work` told otherwise, and its result. */
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
