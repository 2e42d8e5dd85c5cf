/** `tiller cuda install`: all that the device cuda needs besides NVIDIA's driver. */
import type { Command } from "commander";
import type { Output } from "./output.ts";
import type { World } from "./world.ts";

interface CudaOptions {
  wheel?: string;
}

export function addCuda(program: Command, act: (options: CudaOptions) => Promise<void>): void {
  program
    .command("cuda")
    .description("CUDA, for NVIDIA GPUs")
    .command("install")
    .description("install ONNX Runtime's CUDA provider and NVIDIA's libraries (2.3 GB) with your pip, for Tiller only")
    .option("--wheel <file>", "a local wheel of onnxruntime-gpu, of the same version as ONNX Runtime")
    .option("--json", "print one JSON object to standard output and nothing else")
    .option("--verbose", "print stack traces of errors")
    .addHelpText("after", '\nExample:\n  tiller cuda install\n  tiller generate --prompt "a cat" --device cuda')
    .action(act);
}

export async function cuda({ wheel }: CudaOptions, { signal }: World, output: Output): Promise<void> {
  output.progress.doing("installing CUDA's libraries");
  const { installCuda } = await import("../node.ts");
  const folder = await installCuda({ wheel, signal, onLine: (line) => output.progress.doing(line) });
  output.result.folder = folder;
  output.progress.end();
  output.say(`CUDA's libraries are installed: ${folder}`);
}
