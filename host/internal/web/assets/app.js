// What pages do beyond plain HTML. Every page also works without this file.
import { findAll, guard, page } from "./page.js";
import "./keys.js";
import { prepareFollow, prepareSearch } from "./list.js";
import { prepareModal } from "./modal.js";
import { enhance } from "./select.js";
import { countDown, tellZone, watchTabs } from "./session.js";
import { prepareUpload } from "./upload.js";

guard(tellZone);
guard(prepareModal);
guard(watchTabs);
guard(enhance, page);
const behaviours = [
  ["form[data-upload]", prepareUpload], ["[data-follow]", prepareFollow], ["form[data-list-search]", prepareSearch], ["[data-until]", countDown],
];
for (const [selector, behaviour] of behaviours) {
  findAll(page, selector).forEach((one) => guard(behaviour, one));
}
