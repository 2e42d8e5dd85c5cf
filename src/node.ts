/**
 * Contact sheets and the installation of OpenVINO and CUDA. They need Node, and contact sheets native packages.
 *
 * @module tillerjs/node
 */
export { type ContactSheet, createContactSheet, type SheetPlan } from "./images/node/contact-sheet.ts";
export { type CudaInstall, installCuda } from "./runtime/node/cuda/install.ts";
export { installOpenVino, type OpenVinoInstall } from "./runtime/node/openvino/install.ts";
export type { PipOptions } from "./runtime/node/pip.ts";
