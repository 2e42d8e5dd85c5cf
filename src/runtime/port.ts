/** What the core needs from its platform to compute; package.json's `#runtime` picks a side. */
import type { Engine, EngineOptions } from "./engine.ts";
import type { Device } from "./targets.ts";

export interface RuntimePort {
  /** Starts the engine on a device that is known to work. */
  startEngine(options?: EngineOptions): Promise<Engine>;
  /** Devices that the runtime was built for, and the platform, for messages. */
  availableDevices(): Promise<{ readonly devices: readonly string[]; readonly on: string }>;
  /** Devices that `auto` tries before the CPU, in order. */
  automaticDevices(): readonly Device[];
  /** Whether OpenVINO is installed and computes in bfloat16 on this processor. */
  hasBfloat16(): Promise<boolean>;
  /** Bytes of memory available to this process; undefined if unknown. */
  totalMemory(): number | undefined;
  /** ONNX Runtime's version. */
  runtimeVersion(): Promise<string>;
}
