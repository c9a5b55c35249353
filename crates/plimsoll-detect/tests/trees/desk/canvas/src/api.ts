export const base = import.meta.env.VITE_API_URL ?? "http://localhost:9999";
export const flag = import.meta.env["VITE_FLAG"];
