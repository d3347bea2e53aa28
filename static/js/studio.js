// The studio's pages. Each part looks for its elements and does nothing without them.
import { startConfirmations } from "./confirm.js";
import { startReleaseForms } from "./release-form.js";
import { startUploads } from "./upload.js";

startConfirmations();
startReleaseForms();
startUploads();

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
  button.textContent = "Copied";
});

// What asks for itself again and again waits while nobody looks.
document.addEventListener("htmx:beforeRequest", (event) => {
  if (document.hidden && "whileSeen" in event.target.dataset) event.preventDefault();
});
