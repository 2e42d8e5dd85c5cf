import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["{src,test,pretraining}/**/*.test.ts"],
    testTimeout: 60_000,
    // Sessions are multi-threaded already; two test files at a time fill two cores.
    maxWorkers: 2,
  },
});
