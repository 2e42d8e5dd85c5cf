import { rows } from "./row.ts";

export const machineErrors = rows({
  "device-unavailable": {
    kind: "failed",
    what: "The requested device does not work here.",
    why: "Its driver or libraries are missing; a named device is never replaced silently.",
    fix: "Use `--device cpu`, or see `tiller doctor`.",
  },
  "engine-missing": {
    kind: "failed",
    what: "ONNX Runtime's library for this machine is missing or does not load.",
    why: "It exists for Linux with glibc (x64, arm64), macOS (arm64) and Windows (x64, arm64); perhaps it was deleted.",
    fix: "Install tillerjs again on the machine that runs it.",
  },
  "precision-unavailable": {
    kind: "usage",
    what: "The device does not compute in the requested number type.",
    why: "bfloat16 needs OpenVINO and a processor that has it, float16 a GPU, int8 the device cpu; int8 is only for drawing.",
    fix: "Use `--precision float32`, or `auto`, which takes what works.",
  },
  "openvino-missing": {
    kind: "failed",
    what: "OpenVINO, or koffi, through which it is called, is not installed here.",
    why: "It is a second engine that is installed separately.",
    fix: "Run `tiller openvino install`, or set `TILLER_OPENVINO` to the folder that holds libopenvino_c.",
  },
  "openvino-install-failed": {
    kind: "failed",
    what: "OpenVINO could not be installed.",
    why: "There is no Python with pip, no network, or no wheel for this system.",
    fix: "Download its wheel elsewhere and pass it with `--wheel FILE`.",
  },
  "cuda-missing": {
    kind: "failed",
    what: "The device cuda lacks a library, the driver or a recent enough driver: the message names it.",
    why: "NVIDIA's driver is part of the system; ONNX Runtime's CUDA provider and NVIDIA's libraries are installed separately.",
    fix: "Install or update the driver; for the rest run `tiller cuda install`.",
  },
  "cuda-install-failed": {
    kind: "failed",
    what: "ONNX Runtime's CUDA provider could not be installed.",
    why: "There is no Python with pip, no network, or the wheel's version or build differs from the installed ONNX Runtime's.",
    fix: "Download the wheel of onnxruntime-gpu in the version that `tiller doctor` prints, and pass it with `--wheel FILE`.",
  },
  "memory-short": {
    kind: "usage",
    what: "A run is estimated to need more memory than there is.",
    why: "The message has the estimate, from the model's files and the size of the pictures, and what would fit.",
    fix: "Take what it offers, or go on anyway with the `--memory` that it names (GiB; `memory` in bytes in the library).",
  },
  "network-not-built": {
    kind: "failed",
    what: "ONNX Runtime could not build a network.",
    why: "Usually there is too little memory.",
    fix: "Close other programs, or use a smaller model or size.",
  },
  "network-failed": {
    kind: "failed",
    what: "ONNX Runtime failed while running a network.",
    why: "Usually there is too little memory for the size or the batch.",
    fix: "Use a smaller size or `--batch 1`.",
  },
  "engine-closed": {
    kind: "failed",
    what: "A pipeline was used after it was closed.",
    why: "`close()` releases its networks.",
    fix: "Load it again.",
  },
  "telemetry-in-worker": {
    kind: "failed",
    what: "Tiller was first imported in a worker thread.",
    why: "ONNX Runtime's telemetry cannot be switched off from there, and Tiller must not send any.",
    fix: "Set `ORT_DISABLE_TELEMETRY=1` in the environment, or import tillerjs in the main thread first.",
  },
  "address-unreachable": {
    kind: "failed",
    what: "A web address cannot be read.",
    why: "The server does not answer, has no such file, or does not list folders.",
    fix: "Check the address and the connection.",
  },
});
