/** What a download is asked for with. */

/** How far the files of one model have come. Bytes; what an earlier run left behind counts as received. */
export interface DownloadProgress {
  /** The file being fetched, as the repository names it. */
  readonly file: string;
  /** Bytes that have come. */
  readonly received: number;
  /** Bytes of all files together. */
  readonly total: number;
}

export interface HubOptions {
  /** Address of the hub. Default: HF_ENDPOINT, else https://huggingface.co. */
  readonly endpoint?: string | undefined;
  /** Default: HF_HUB_CACHE, HUGGINGFACE_HUB_CACHE, HF_HOME/hub, else ~/.cache/huggingface/hub. */
  readonly cacheFolder?: string | undefined;
  /** Told as bytes come. */
  readonly onProgress?: ((progress: DownloadProgress) => void) | undefined;
  /** Stops the download; what has come stays and is resumed from. */
  readonly signal?: AbortSignal | undefined;
}
