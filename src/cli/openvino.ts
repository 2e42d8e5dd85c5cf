/** `tiller openvino install`: installs the second engine. */
import type { Command } from "commander";
import type { Output } from "./output.ts";
import type { World } from "./world.ts";

interface OpenVinoOptions {
  wheel?: string;
}

export function addOpenVino(program: Command, act: (options: OpenVinoOptions) => Promise<void>): void {
  program
    .command("openvino")
    .description("OpenVINO, which computes in bfloat16 on processors that support it")
    .command("install")
    .description("install it with your pip (about 100 MB), for Tiller only")
    .option("--wheel <file>", "a local OpenVINO wheel")
    .option("--json", "print one JSON object to standard output and nothing else")
    .option("--verbose", "print stack traces of errors")
    .addHelpText(
      "after",
      '\nExample:\n  tiller openvino install\n  tiller generate --prompt "a cat" --device openvino --precision bfloat16',
    )
    .action(act);
}

export async function openVino({ wheel }: OpenVinoOptions, { signal }: World, output: Output): Promise<void> {
  output.progress.doing("installing OpenVINO");
  const { installOpenVino } = await import("../node.ts");
  const library = await installOpenVino({ wheel, signal, onLine: (line) => output.progress.doing(line) });
  output.result.library = library;
  output.progress.end();
  output.say(`OpenVINO is installed: ${library}`);
}
