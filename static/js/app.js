// Every page's own behaviour. Each part looks for its elements and does nothing without them.
import { startCountdowns } from "./countdown.js";
import { startInbox } from "./inbox.js";
import { refreshTimes } from "./page.js";
import { startPush } from "./push.js";
import { startPlayers } from "./player.js";
import { startRails } from "./rails.js";
import { startThemeChoice } from "./themes.js";

startThemeChoice();
startRails();
startPlayers();
startCountdowns();
startInbox();
startPush();
refreshTimes();
setInterval(refreshTimes, 30_000);
document.addEventListener("htmx:afterSettle", (event) => refreshTimes(event.detail.elt));
navigator.serviceWorker?.register("/service-worker.js").catch(() => {});
