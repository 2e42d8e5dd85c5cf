/** A row of the tables of errors, from which docs/errors.md is made. */
export interface ErrorRow {
  /** `usage`: the call was wrong, exit code 2, HTTP 400. `failed`: something outside Tiller is, exit code 1, HTTP 422. */
  readonly kind: "usage" | "failed";
  /** HTTP's status where it is another. */
  readonly status?: 401 | 403 | 404 | 409 | 413 | 429;
  /** What has happened. */
  readonly what: string;
  /** What it usually comes from. */
  readonly why: string;
  /** What to do about it. */
  readonly fix: string;
}

/** Keeps a table's codes as literal types. */
export const rows = <Code extends string>(table: Readonly<Record<Code, ErrorRow>>): typeof table => table;
