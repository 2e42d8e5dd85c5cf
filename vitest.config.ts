import { defineConfig } from "vitest/config";

// Tests run the sources, not the build.
const conditions = ["tiller-source"];

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    include: ["{src,test,pretraining}/**/*.test.ts"],
    setupFiles: ["test/failures-met.ts"],
    // Against tests that hang: how long one works depends on what else the machine does, and decides nothing.
    testTimeout: 900_000,
    hookTimeout: 900_000,
    teardownTimeout: 120_000,
    expect: { poll: { timeout: 300_000 } },
    // Sessions are multi-threaded already; two test files at a time fill two cores.
    maxWorkers: 2,
  },
});
