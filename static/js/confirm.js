// Forms with `data-confirm` ask first, in a dialog that says what will happen.
import { fill } from "./page.js";

export function startConfirmations() {
  const dialog = document.getElementById("confirm");
  if (!dialog) return;
  let asking = null;
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!form.dataset.confirm || form === asking) return;
    event.preventDefault();
    asking = form;
    fill(dialog, "title", form.dataset.confirmTitle);
    fill(dialog, "words", form.dataset.confirm);
    fill(dialog, "action", form.dataset.confirmAction);
    dialog.showModal();
  });
  dialog.querySelector('[data-part="cancel"]').addEventListener("click", () => dialog.close());
  dialog.querySelector('[data-part="action"]').addEventListener("click", (event) => {
    event.target.disabled = true;
    asking.requestSubmit();
  });
  dialog.addEventListener("close", () => {
    asking = null;
  });
}
