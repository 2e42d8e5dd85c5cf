/** Times and limits of an engine. */

export interface JobSettings {
  /** Milliseconds for which a worker holds a job without a sign of life. */
  readonly lock: number;
  /** Milliseconds between signs of life. */
  readonly renew: number;
  /** The most attempts of a job. */
  readonly attempts: number;
  /** Milliseconds before the second attempt; each later wait is twice the one before. */
  readonly backoff: number;
  /** Milliseconds between looks at whether a running job was cancelled. */
  readonly look: number;
  /** The most milliseconds between looks for a job while there is none. */
  readonly idle: number;
}

export const usualSettings: JobSettings = {
  lock: 60_000,
  renew: 10_000,
  attempts: 3,
  backoff: 2000,
  look: 1000,
  idle: 500,
};
