// @ts-check
// The Learn page's component. Every step's picture is a file in steps/; lesson.js holds them together.

import { loadAssets } from "../assets.js";
import { component } from "../component.js";
import { Lesson } from "./lesson.js";

const addMarkup = await loadAssets(import.meta.url, "viewer.html", "../shared.css", "viewer.css");

export default component((parent) => new Lesson(addMarkup(parent)));
