/** The networks of a model as its graphs are recorded with them. */
import type { TensorRef } from "../bytes/tensor-ref.ts";
import { type Module, moduleOf } from "./module.ts";

/** Names by component. */
export type ByComponent<T> = ReadonlyMap<string, T>;

/** What goes before the names of a component's inputs. No path of a module has a colon. */
const scopeOf = (component: string): string => `${component}:`;

/** A component's name and the rest of an input's name. */
export function splitScope(name: string): { component: string; rest: string } {
  const at = name.indexOf(":");
  return { component: name.slice(0, at), rest: name.slice(at + 1) };
}

/** The name of an input that belongs to a component. */
export const scoped = (component: string, name: string): string => scopeOf(component) + name;

/**
 * Each component's module, with low-rank branches at `sites` and the tensors of `open` as inputs. Of components that `float32`
 * names, all layers but those may be int8.
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
