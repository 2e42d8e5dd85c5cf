/** Tiller Studio. */
import { StrictMode, useRef } from "react";
import { createRoot } from "react-dom/client";
import { Compare, usualComparison } from "./compare.tsx";
import { Create, usualForm } from "./create.tsx";
import { Gallery } from "./gallery.tsx";
import { Personalise } from "./personalise.tsx";
import { useKept } from "./state.ts";
import { StudyPage } from "./study.tsx";
import "./style.css";

const pages = ["Create", "Personalise", "Compare", "Gallery", "Study"] as const;

function Studio() {
  const [page, setPage] = useKept<(typeof pages)[number]>("page", "Create");

  const main = useRef<HTMLElement>(null);
  /** Fills a page's form with a picture's settings and opens the page. */
  const filled = (page: "Create" | "Compare", usual: object) => (form: object) => {
    const name = `tiller.${page.toLowerCase()}`;
    const kept = JSON.parse(localStorage.getItem(name) ?? "{}") as object;
    localStorage.setItem(name, JSON.stringify({ ...usual, ...kept, ...form }));
    setPage(page);
    // The focused button is gone with its page.
    main.current?.focus();
  };

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
      <main ref={main} tabIndex={-1}>
        {page === "Create" && <Create />}
        {page === "Personalise" && <Personalise use={filled("Create", usualForm)} />}
        {page === "Compare" && <Compare />}
        {page === "Gallery" && (
          <Gallery reuse={{ create: filled("Create", usualForm), compare: filled("Compare", usualComparison) }} />
        )}
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
