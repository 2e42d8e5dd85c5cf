/** The fidelity plot: each row's scores so far, text fidelity on x and subject fidelity on y. */
import type { Job, Metric, Variation } from "tillerjs/client";
import { Problem } from "./parts.tsx";
import { useAsked } from "./state.ts";
import { tiller } from "./tiller.ts";

/** One method with its settings: a row of pictures. */
export interface Row {
  readonly label: string;
  readonly settings: Variation;
  /** Whether its name includes a setting: omega. */
  readonly steered?: boolean;
}

export function Plane(props: { job: Job; references: string; rows: Row[]; seeds: number[]; token: string }) {
  const { job, references, rows, seeds, token } = props;
  const { value: scores, problem } = useAsked(
    () => tiller.jobs.scores(job.id, references, token),
    `${job.id} ${references} ${Math.floor(job.pictures.length / seeds.length)}`,
  );
  const metrics = useAsked(tiller.metrics, 0).value ?? [];
  const points = rows.flatMap(({ label, steered }, row) => {
    const those = scores?.slice(row * seeds.length, (row + 1) * seeds.length) ?? [];
    if (those.length === 0) return [];
    const mean = (metric: Metric["name"]) => those.reduce((sum, one) => sum + one[metric], 0) / those.length;
    return [{ label, steered, mean, text: mean("clipT"), subject: mean("dino") }];
  });
  if (problem) return <Problem text={problem.message} />;
  if (points.length === 0) return null;
  const [width, height, edge] = [640, 360, 48];
  const scale = (values: number[], from: number, to: number) => {
    const [low, high] = [Math.min(...values), Math.max(...values)];
    return (v: number) => from + ((v - low + (high - low || 1) * 0.1) / ((high - low || 1) * 1.2)) * (to - from);
  };
  const x = scale(
    points.map((p) => p.text),
    edge,
    width - edge * 2,
  );
  const y = scale(
    points.map((p) => p.subject),
    height - edge,
    edge / 2,
  );
  return (
    <figure>
      <svg
        viewBox={`0 0 ${width} ${height}`}
        className="plane"
        role="img"
        aria-label="subject fidelity over text fidelity; the table below has the values"
      >
        <path d={`M${edge} ${edge / 2}V${height - edge}H${width - edge}`} className="axis" />
        <text x={width / 2} y={height - 12}>
          text fidelity (CLIP-T) →
        </text>
        <text transform={`translate(24 ${height / 2}) rotate(-90)`}>subject fidelity (DINO) →</text>
        {points.map((p) => (
          // Labels go to the side with room.
          <g key={p.label} transform={`translate(${x(p.text)} ${y(p.subject)})`} className={p.steered ? "steered" : ""}>
            <circle r="6" />
            <text x={x(p.text) > width / 2 ? -10 : 10} y="5" className={x(p.text) > width / 2 ? "end" : "start"}>
              {p.label}
            </text>
          </g>
        ))}
      </svg>
      <table className="shares">
        <thead>
          <tr>
            <th scope="col">method</th>
            {metrics.map(({ name, label, help }) => (
              <th key={name} scope="col" title={help}>
                {label}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {points.map((p) => (
            <tr key={p.label}>
              <th scope="row">{p.label}</th>
              {metrics.map(({ name }) => (
                <td key={name}>{p.mean(name).toFixed(3)}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </figure>
  );
}
