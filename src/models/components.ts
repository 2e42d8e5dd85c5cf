/** A model's networks, for recording graphs. */
import type { TensorRef } from "../bytes/tensor-ref.ts";
import { type Module, moduleOf } from "./module.ts";

/** Values by component name. */
export type ByComponent<T> = ReadonlyMap<string, T>;

/** Prefix of a component's input names. Module paths contain no colon. */
const scopeOf = (component: string): string => `${component}:`;

/** Splits an input name into the component's name and the rest. */
export function splitScope(name: string): { component: string; rest: string } {
  const at = name.indexOf(":");
  return { component: name.slice(0, at), rest: name.slice(at + 1) };
}

/** The name of an input that belongs to a component. */
export const scoped = (component: string, name: string): string => scopeOf(component) + name;

/**
 * Each component's root module, with low-rank branches at `sites` and the tensors of `open` as inputs. In components that
 * `float32` names, all layers except the matching ones may be int8.
 */
export function modulesOf(
  components: ByComponent<{ readonly weights: ReadonlyMap<string, TensorRef> }>,
  {
    sites,
    open,
    float32,
  }: {
    sites?: ByComponent<ReadonlySet<string>>;
    open?: ByComponent<ReadonlySet<string>>;
    float32?: Readonly<Record<string, RegExp>>;
  } = {},
): (component: string) => Module {
  const modules = new Map<string, Module>();
  return (component) => {
    const module =
      modules.get(component) ??
      moduleOf(components.get(component)!.weights, {
        sites: sites?.get(component),
        open: open?.get(component),
        float32: float32?.[component],
        scope: scopeOf(component),
      });
    modules.set(component, module);
    return module;
  };
}
