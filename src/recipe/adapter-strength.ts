/** An adapter's strength: one for the whole adapter, or one by component, as in Diffusers' `set_adapters`. */
import { z } from "zod";

/** The schema of an adapter's strength. */
export const adapterStrengthSchema = z.union([
  z.number().finite(),
  z.record(z.string().regex(/^\w+$/), z.number().finite()),
]);

/**
 * 1 is the adapter as trained, 0 leaves it out, negative values invert it. By component, such as `{ unet: 0.8, text_encoder: 0.5 }`,
 * those not named have 1.
 *
 * @useDeclaredType
 */
export type AdapterStrength = number | Readonly<Record<string, number>>;

/** The strength in a component. */
export const strengthIn = (strength: AdapterStrength, component: string): number =>
  typeof strength === "number" ? strength : Object.hasOwn(strength, component) ? strength[component]! : 1;

/** As people write it: `0.8`, or `unet=0.8,text_encoder=0.5`. */
export const strengthText = (strength: AdapterStrength): string =>
  typeof strength === "number"
    ? String(strength)
    : Object.entries(strength)
        .map(([component, one]) => `${component}=${one}`)
        .join(",");
