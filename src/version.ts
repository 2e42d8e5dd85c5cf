/** Tiller's version, for recipes and `tiller doctor`; a test checks that it equals package.json's. */
export const version: string = "0.1.0";
