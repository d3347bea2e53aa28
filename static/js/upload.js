// Upload of a video by drag and drop or choice, with the progress that the browser reports.
import { csrfToken, fill } from "./page.js";

const MEGABYTE = 1024 * 1024;

function showProblem(box, words) {
  box.querySelector("[data-drop]").hidden = false;
  box.querySelector("[data-sending]").hidden = true;
  fill(box, "problem", words);
}

function showProgress(box, { loaded, total }) {
  const percent = Math.floor((100 * loaded) / total);
  box.querySelector("progress").value = percent;
  fill(box, "percent", `${percent} %`);
  fill(box, "words", percent < 100 ? `Uploading · ${(loaded / MEGABYTE).toFixed(1)} of ${(total / MEGABYTE).toFixed(1)} MB` : "Storing…");
}

/** What the server swaps in after an upload: the asset, now being encoded, or the same with a problem. */
function showAsset(html) {
  const asset = document.getElementById("asset");
  asset.innerHTML = html;
  window.htmx.process(asset);
  window.htmx.trigger(document.body, "asset-changed");
}

function send(box, file) {
  const limit = Number(box.dataset.limit);
  if (file.size > limit) {
    showProblem(box, `${file.name} has ${Math.ceil(file.size / MEGABYTE)} MB; the limit is ${Math.floor(limit / MEGABYTE)} MB. Nothing was uploaded.`);
    return;
  }
  const form = new FormData();
  form.append("file", file);
  const request = new XMLHttpRequest();
  request.open("POST", box.dataset.upload);
  request.setRequestHeader("X-CSRFToken", csrfToken());
  request.upload.addEventListener("progress", (event) => event.lengthComputable && showProgress(box, event));
  request.addEventListener("load", () => {
    const isPage = [200, 202, 409, 413, 422].includes(request.status) && !request.responseURL.includes("/login");
    if (isPage) showAsset(request.responseText);
    else showProblem(box, `The upload was refused (${request.status}). Your draft is safe: load the page again and retry.`);
  });
  request.addEventListener("error", () => showProblem(box, "The connection broke during the upload. Your draft is safe: choose the file again."));
  request.addEventListener("abort", () => showProblem(box, ""));
  box.querySelector("[data-drop]").hidden = true;
  box.querySelector("[data-sending]").hidden = false;
  fill(box, "problem", "");
  box.querySelector("[data-cancel]").onclick = () => request.abort();
  request.send(form);
}

// A file that was chosen before this script ran is sent too.
function sendEarlyChoice() {
  for (const box of document.querySelectorAll("[data-upload]")) {
    const [file] = box.querySelector("input[type=file]").files;
    if (file) send(box, file);
  }
}

export function startUploads() {
  const boxOf = (event) => event.target.closest?.("[data-upload]");
  document.addEventListener("change", (event) => {
    const box = boxOf(event);
    if (box && event.target.files?.length) send(box, event.target.files[0]);
  });
  for (const [type, isOver] of [["dragover", true], ["dragleave", false], ["drop", false]]) {
    document.addEventListener(type, (event) => {
      const box = boxOf(event);
      if (!box) return;
      event.preventDefault();
      box.querySelector("[data-drop]").classList.toggle("is-over", isOver);
      if (type === "drop" && event.dataTransfer.files.length) send(box, event.dataTransfer.files[0]);
    });
  }
  sendEarlyChoice();
}
