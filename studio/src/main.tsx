/** Tiller Studio. */
import { StrictMode, useState } from "react";
import { createRoot } from "react-dom/client";
import { Compare } from "./compare.tsx";
import { Create, type CreateForm, usualForm } from "./create.tsx";
import { Gallery } from "./gallery.tsx";
import { Personalise } from "./personalise.tsx";
import { useKept } from "./state.ts";
import { StudyPage } from "./study.tsx";
import "./style.css";

const pages = ["Create", "Personalise", "Compare", "Gallery", "Study"] as const;

function Studio() {
  const [page, setPage] = useKept<(typeof pages)[number]>("page", "Create");
  const [learned, setLearned] = useState(0);

  function reuse(form: Partial<CreateForm>) {
    const kept = JSON.parse(localStorage.getItem("tiller.create") ?? "{}") as Partial<CreateForm>;
    localStorage.setItem("tiller.create", JSON.stringify({ ...usualForm, ...kept, ...form }));
    setPage("Create");
  }

  return (
    <>
      <header>
        <h1>Tiller</h1>
        <nav aria-label="Pages">
          {pages.map((name) => (
            <button
              type="button"
              key={name}
              aria-current={name === page ? "page" : undefined}
              onClick={() => setPage(name)}
            >
              {name}
            </button>
          ))}
        </nav>
      </header>
      <main>
        {page === "Create" && <Create learned={learned} />}
        {page === "Personalise" && <Personalise onLearned={() => setLearned((n) => n + 1)} />}
        {page === "Compare" && <Compare learned={learned} />}
        {page === "Gallery" && <Gallery onReuse={reuse} />}
        {page === "Study" && <StudyPage />}
      </main>
    </>
  );
}

createRoot(document.getElementById("root")!).render(
  <StrictMode>
    <Studio />
  </StrictMode>,
);
