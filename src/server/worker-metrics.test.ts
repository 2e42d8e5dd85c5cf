/** What Prometheus reads of a worker. */
import { expect, test } from "vitest";
import { openWorkerMetrics } from "./worker-metrics.ts";

const read = async (url: string) => (await fetch(url)).text();

test("jobs by kind and outcome, pictures, seconds and memory are counted", async () => {
  const metrics = await openWorkerMetrics("0", ["pictures", "draw"]);
  try {
    expect(metrics.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/metrics$/);
    metrics.begins("draw")("done", 3);
    metrics.begins("draw")("failed", 0);
    const ends = metrics.begins("pictures");
    const text = await read(metrics.url);
    expect(text).toMatch(/^# TYPE tiller_worker_jobs_total counter$/m);
    expect(text).toMatch(/^tiller_worker_jobs_total\{kind="draw",outcome="done"\} 1$/m);
    expect(text).toMatch(/^tiller_worker_jobs_total\{kind="draw",outcome="failed"\} 1$/m);
    expect(text).toMatch(/^tiller_worker_pictures_total\{kind="draw"\} 3$/m);
    expect(text).toMatch(/^tiller_worker_seconds_total\{kind="draw"\} \d/m);
    expect(text).toMatch(/^tiller_worker_running\{kind="draw"\} 0$/m);
    expect(text).toMatch(/^tiller_worker_running\{kind="pictures"\} 1$/m);
    expect(text).toMatch(/^tiller_resident_memory_bytes \d{7,}$/m);
    ends("stopped", 0);
    expect(await read(metrics.url)).toMatch(/^tiller_worker_jobs_total\{kind="pictures",outcome="stopped"\} 1$/m);
  } finally {
    await metrics.close();
  }
});

test("an address that is none, of another machine or taken is refused by the option's name", async () => {
  await expect(openWorkerMetrics("metrics", ["draw"])).rejects.toThrow("--metrics metrics must be a port or host:port");
  await expect(openWorkerMetrics("70000", ["draw"])).rejects.toThrow("port 70000 must be 0 to 65535");
  await expect(openWorkerMetrics("192.0.2.1:0", ["draw"])).rejects.toThrow("choose another with --metrics");
  const metrics = await openWorkerMetrics("localhost:0", ["draw"]);
  const { port } = new URL(metrics.url);
  await expect(openWorkerMetrics(`localhost:${port}`, ["draw"])).rejects.toThrow(
    `port ${port} is taken: choose another with --metrics.`,
  );
  await metrics.close();
});
