export const title = (name) => `Canvas of ${name}`;
