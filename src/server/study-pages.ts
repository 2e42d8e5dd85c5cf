/** The pages that a study's participants see: plain HTML, the same for every study but for its words and pictures. */
import { html } from "hono/html";
import { type Page, type Progress, type Question, undecided } from "../study/index.ts";

type Html = ReturnType<typeof html>;

const asked: Readonly<Record<Question, string>> = {
  subject: "In which picture does the subject look most like the one at the top?",
  text: "Which picture fits the text best?",
};

/** The study's first page, which is also the way back into it. */
export function welcomePage({ title, sets, answered, next, ended }: Progress): Html {
  if (ended) return thanksPage(title);
  const begun = answered > 0;
  return layout(
    title,
    html`<h1>${title}</h1>
      <p>
        You will see ${sets} ${sets === 1 ? "set" : "sets"} of pictures. Each shows a subject, a text, and several pictures of the
        subject that were made for the text. Two questions are asked about each set. If you cannot decide, say so: that is an answer
        too.
      </p>
      <p class="note">
        Your answers are kept as you give them. You can close this page, come back to its address later, and change any answer until
        you finish.
      </p>
      <p><a class="button" href="${next ?? "end"}">${begun ? "Continue" : "Begin"}</a></p>
      ${begun ? html`<p class="note">${answered} of ${sets} sets are answered.</p>` : ""}`,
  );
}

/** A set with its two questions. */
export function setPage({ title, sets, answered }: Progress, page: Page): Html {
  const { position, text, references, letters } = page;
  const subjects = Array.from({ length: references }, (_, i) => i + 1);
  return layout(
    `${position} of ${sets}`,
    html`<header>
        <p>
          <strong>${position} of ${sets}</strong>
          <span class="note">${answered} answered</span>
        </p>
        <progress max="${sets}" value="${answered}" aria-label="sets answered"></progress>
      </header>
      <h1 class="title">${title}</h1>
      <div class="asked">
        <figure>
          ${subjects.map((n) => html`<img src="${position}/subject-${n}.png" alt="the subject, ${n}" />`)}
          <figcaption>the subject</figcaption>
        </figure>
        <p class="text"><span class="note">the text</span><br />“${text}”</p>
      </div>
      <div class="pictures">
        ${letters.map(
          (letter) =>
            html`<figure>
              <a href="${position}/${letter}.png" target="_blank"
                ><img src="${position}/${letter}.png" alt="picture ${letter.toUpperCase()}"
              /></a>
              <figcaption>${letter.toUpperCase()}</figcaption>
            </figure>`,
        )}
      </div>
      <form method="post" action="${position}">
        ${(["subject", "text"] as const).map((question) => questionOf(question, page))}
        <p class="ways">
          <a href="${position === 1 ? "./" : position - 1}">Back</a>
          <button class="button">Next</button>
        </p>
      </form>
      <script src="keep.js" defer></script>`,
  );
}

function questionOf(question: Question, { letters, chosen }: Page): Html {
  const ways = [...letters.map((letter) => [letter, letter.toUpperCase()]), [undecided, "undecided"]];
  return html`<fieldset>
    <legend>${asked[question]}</legend>
    ${ways.map(
      ([value, label]) =>
        html`<label
          ><input
            type="radio"
            name="${question}"
            value="${value}"
            required
            ${chosen[question] === value ? "checked" : ""}
          />${label}</label
        >`,
    )}
  </fieldset>`;
}

/** The last page: everything is answered, or not yet. */
export function endPage({ title, sets, next, ended }: Progress): Html {
  if (ended) return thanksPage(title);
  return layout(
    title,
    next === undefined
      ? html`<h1>All ${sets} sets are answered.</h1>
          <p>You can still go back and change answers. When you finish, they are final.</p>
          <form method="post" action="end">
            <p class="ways"><a href="${sets}">Back</a><button class="button">Finish</button></p>
          </form>`
      : html`<h1>Set ${next} is not answered yet.</h1>
          <p><a class="button" href="${next}">Go to set ${next}</a></p>`,
  );
}

const thanksPage = (title: string): Html =>
  layout(
    title,
    html`<h1>Thank you.</h1>
      <p>Your answers are kept. You can close this page.</p>`,
  );

/** A refusal, in one sentence. */
export const refusalPage = (message: string): Html => layout("Not possible", html`<h1>${message}</h1>`);

const layout = (title: string, content: Html): Html =>
  html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>${title}</title>
        <link rel="icon" href="data:," />
        <link rel="stylesheet" href="study.css" />
      </head>
      <body>
        <main>${content}</main>
      </body>
    </html>`;

/** Keeps each answer at once, one after the other, so that a reload loses none. The page works without it. */
export const script = `const form = document.forms[0];
let kept = Promise.resolve();
form.addEventListener("change", () => {
  const body = new URLSearchParams(new FormData(form));
  kept = kept.then(() => fetch(form.action + "?keep", { method: "POST", body, keepalive: true })).catch(() => {});
});
form.addEventListener("submit", (event) => {
  event.preventDefault();
  kept.finally(() => form.submit());
});
`;

export const style = `:root { color-scheme: light dark; --paper: #fbfaf8; --ink: #1d1c1a; --faint: #6f6b64; --line: #dcd7ce; --accent: #b4470f; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #191816; --ink: #ece9e4; --faint: #a39e95; --line: #3a3732; --accent: #ef8a55; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 17px/1.5 system-ui, sans-serif; }
main { max-width: 1240px; margin: 0 auto; padding: 1.25rem 1.25rem 3rem; }
h1 { font-size: 1.6rem; line-height: 1.25; }
h1.title { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
p { max-width: 42rem; }
header p { display: flex; justify-content: space-between; max-width: none; margin: 0; }
progress { width: 100%; height: 0.5rem; accent-color: var(--accent); }
.note, figcaption { color: var(--faint); font-size: 0.9rem; }
figure { margin: 0; }
img { display: block; width: 100%; height: auto; border-radius: 8px; }
.asked { display: flex; flex-wrap: wrap; gap: 1.25rem; align-items: center; margin: 1rem 0; }
.asked figure { display: flex; flex-wrap: wrap; gap: 6px; }
.asked img { width: 180px; }
.asked figcaption { width: 100%; }
.text { font-size: 1.25rem; margin: 0; }
.text .note { font-size: 0.9rem; }
.pictures { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(220px, 45%), 1fr)); gap: 12px; }
.pictures figure { max-width: 512px; }
.pictures figcaption { text-align: center; font-size: 1rem; font-weight: 600; color: var(--ink); }
fieldset { border: 0; border-top: 1px solid var(--line); margin: 1rem 0 0; padding: 0.75rem 0 0; display: flex; flex-wrap: wrap; gap: 0.5rem; }
legend { float: left; width: 100%; font-weight: 600; margin-bottom: 0.5rem; padding: 0; }
label { display: flex; align-items: center; gap: 0.45rem; padding: 0.4rem 0.9rem; border: 1px solid var(--line); border-radius: 8px; cursor: pointer; }
label:has(:checked) { border-color: var(--accent); box-shadow: inset 0 0 0 1px var(--accent); }
label:has(:focus-visible) { outline: 2px solid var(--accent); outline-offset: 2px; }
input { accent-color: var(--accent); }
.ways { display: flex; align-items: center; gap: 1.25rem; margin-top: 1.5rem; }
.ways .button { margin-left: auto; }
a { color: inherit; }
.button { display: inline-block; padding: 0.6rem 1.6rem; border: 0; border-radius: 8px; background: var(--accent); color: var(--paper); font: inherit; font-weight: 600; text-decoration: none; cursor: pointer; }
`;
