import { EventEmitter } from "node:events";
import { describe, expect, test, vi } from "vitest";
import { interruptionOf, orInterrupted } from "./interruption.ts";

describe("Ctrl-C", () => {
  test.each(["SIGINT", "SIGTERM"])("the first %s asks to stop, the second stops at once", (name) => {
    const kill = vi.fn();
    const exiting = vi.fn();
    const process = Object.assign(new EventEmitter(), { pid: 7, kill }).on("exit", exiting);
    const signal = interruptionOf(process);
    expect(signal.aborted).toBe(false);
    process.emit(name);
    expect([signal.aborted, kill.mock.calls]).toEqual([true, []]);
    process.emit(name);
    // Exit handlers run first, and no listener for the signal is left.
    expect(exiting.mock.calls).toEqual([[130]]);
    expect(process.listenerCount("SIGINT")).toBe(0);
    expect(kill.mock.calls).toEqual([[7, "SIGINT"]]);
  });

  test("does not wait for a model that is loading, and closes it once loaded", async () => {
    const controller = new AbortController();
    const close = vi.fn();
    const closed = new Promise<void>((resolve) => close.mockImplementation(() => resolve()));
    let load: (value: string) => void = () => {};
    const waiting = orInterrupted(new Promise<string>((resolve) => (load = resolve)), controller.signal, close);
    controller.abort();
    await expect(waiting).rejects.toThrow("aborted");
    expect(close).not.toHaveBeenCalled();
    load("late");
    await closed;
    expect(close).toHaveBeenCalledWith("late");
  });

  test("without a signal nothing changes", async () => {
    const { signal } = new AbortController();
    expect(await orInterrupted(Promise.resolve(7), signal, () => {})).toBe(7);
    await expect(orInterrupted(Promise.reject(new Error("broken")), signal, () => {})).rejects.toThrow("broken");
  });
});
