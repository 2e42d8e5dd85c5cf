/** A row of the error tables, from which docs/errors.md is made. */
export interface ErrorRow {
  /** `usage`: the call was wrong, exit code 2, HTTP 400. `failed`: something outside Tiller was, exit code 1, HTTP 422. */
  readonly kind: "usage" | "failed";
  /** HTTP status, if it is not that of the kind. */
  readonly status?: 401 | 403 | 404 | 409 | 413 | 429;
  /** What happened. */
  readonly what: string;
  /** The usual cause. */
  readonly why: string;
  /** What to do about it. */
  readonly fix: string;
}

/** Keeps a table's codes as literal types. */
export const rows = <Code extends string>(table: Readonly<Record<Code, ErrorRow>>): typeof table => table;
