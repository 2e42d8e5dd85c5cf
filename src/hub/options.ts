/** Options and progress of downloads. */

/** Download progress of one model's files. Bytes that an earlier run left count as received. */
export interface DownloadProgress {
  /** The file being fetched, as the repository names it. */
  readonly file: string;
  /** Bytes received so far, of all files. */
  readonly received: number;
  /** Bytes of all files together. */
  readonly total: number;
}

export interface HubOptions {
  /** Address of the hub. Default: HF_ENDPOINT, else https://huggingface.co. */
  readonly endpoint?: string | undefined;
  /** Default: HF_HUB_CACHE, HUGGINGFACE_HUB_CACHE, HF_HOME/hub, else ~/.cache/huggingface/hub. */
  readonly cacheFolder?: string | undefined;
  /** Called as bytes arrive. */
  readonly onProgress?: ((progress: DownloadProgress) => void) | undefined;
  /** Stops the download; it can be resumed later. */
  readonly signal?: AbortSignal | undefined;
}
