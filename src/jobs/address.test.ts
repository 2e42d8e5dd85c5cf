import { expect, test } from "vitest";
import { refusal } from "../../test/refusal.ts";
import { masked, refuseInsecure } from "./address.ts";
import { openJobs } from "./open-jobs.ts";
import { openStore } from "./open-store.ts";

test("passwords are not shown, nor parameters, which may hold some", () => {
  expect(masked("rediss://user:secret@queue.example:6380/2?password=secret")).toBe(
    "rediss://user:***@queue.example:6380/2",
  );
  expect(masked("redis://:secret@queue.example")).toBe("redis://:***@queue.example");
  expect(masked("s3://user:se@cret@/prefix?password=secret")).toBe("s3://***@/prefix");
  expect(masked("redis://user:secret@127.0.0.1:no port")).toBe("redis://***@127.0.0.1:no port");
  expect(masked("redis://127.0.0.1:6379")).toBe("redis://127.0.0.1:6379");
});

test("a connection to another machine must be encrypted, unless that is asked for", () => {
  const check =
    (url: string, encrypted: boolean, insecure = false) =>
    () =>
      refuseInsecure(new URL(url), encrypted, insecure);
  expect(check("redis://queue.example:6379", false)).toThrow(
    refusal("connection-insecure", "redis://queue.example:6379"),
  );
  expect(check("redis://10.0.0.3:6379", false)).toThrow(refusal("connection-insecure", "--insecure-queue"));
  // Only the address 127.0.0.0/8 is this machine, not a name that begins like it.
  expect(check("redis://127.0.0.1.example:6379", false)).toThrow(refusal("connection-insecure", "TLS"));
  for (const url of ["redis://127.0.0.1:6379", "redis://localhost", "redis://[::1]:6379"]) check(url, false)();
  check("rediss://queue.example", true)();
  check("redis://queue.example", false, true)();
});

test("a host in a parameter is one, too", async () => {
  for (const address of [
    "postgres://127.0.0.1/db?host=10.0.0.3",
    "postgres:///db?host=10.0.0.3",
    "redis:///0?host=10.0.0.3",
  ])
    await expect(openJobs(address)).rejects.toThrow(refusal("connection-insecure", "--insecure-queue"));
});

test("addresses of other kinds are refused, without showing their passwords", async () => {
  const refused = await openJobs("amqp://user:secret@queue.example").catch((error) => error);
  expect(refused).toEqual(refusal("address-invalid", "redis://"));
  expect(refused.message).not.toContain("secret");
  await expect(openStore("gs://bucket/here")).rejects.toThrow(refusal("address-invalid", "gs://"));
});

test("a server that is not there is named, without its password", async () => {
  for (const scheme of ["redis", "postgres"]) {
    const refused = await openJobs(`${scheme}://user:secret@127.0.0.1:1/0`).catch((error) => error);
    expect(refused).toEqual(refusal("queue-unreachable", "127.0.0.1:1", "ECONNREFUSED"));
    expect(refused.message).not.toContain("secret");
  }
});
