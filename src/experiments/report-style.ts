/** The CSS of reports, light and dark. */
export const style = `
:root { color-scheme: light dark; --paper: #fbfaf8; --ink: #1d1c1a; --faint: #6f6b64; --line: #e3dfd8; --tint: #f3f0ea; }
.dark { display: none; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #191816; --ink: #ece9e4; --faint: #a39e95; --line: #36332e; --tint: #232120; }
  .light { display: none; }
  .dark { display: block; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.55 system-ui, sans-serif; }
main { max-width: 1200px; margin: 0 auto; padding: 2.5rem 1.25rem 4rem; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 0.5rem; }
h2 { font-size: 1.25rem; margin: 2.5rem 0 0.75rem; }
h3 { font-size: 1rem; margin: 1.5rem 0 0.5rem; }
.lead { font-size: 1.1rem; max-width: 46rem; margin: 0 0 1.5rem; }
.note, figcaption { color: var(--faint); font-size: 0.88rem; max-width: 46rem; }
figure { margin: 0; }
figure svg { max-width: 100%; height: auto; }
.strip { display: flex; flex-wrap: wrap; gap: 6px; }
.strip img { width: 128px; border-radius: 6px; display: block; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: 0.88rem; font-variant-numeric: tabular-nums; }
th, td { padding: 0.4rem 0.6rem 0.4rem 0; text-align: left; border-bottom: 1px solid var(--line); white-space: nowrap; }
thead th { color: var(--faint); font-weight: 500; white-space: normal; vertical-align: bottom; }
tbody th { font-weight: 600; vertical-align: top; }
small { color: var(--faint); font-size: 0.72rem; }
.grid th, .grid td { border: 0; padding: 3px; }
.grid thead th { font-size: 0.8rem; max-width: 128px; }
.grid tbody th { padding-right: 0.75rem; }
.grid img { width: 128px; border-radius: 6px; display: block; }
pre { background: var(--tint); padding: 0.9rem 1rem; border-radius: 8px; overflow-x: auto; font-size: 0.88rem; }
`;
