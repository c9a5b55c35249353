import { title } from "./title.js";

document.querySelector("#root").textContent = title(import.meta.env.VITE_NAME ?? "flows");
