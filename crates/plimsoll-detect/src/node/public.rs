//! Variables that a build puts into pages, told by how their names begin.

/// What bundlers and frameworks let into the code that browsers run.
const PREFIXES: &[&str] = &[
    "NEXT_PUBLIC_",
    "NUXT_PUBLIC_",
    "PUBLIC_",
    "REACT_APP_",
    "VITE_",
    "VUE_APP_",
];

/// Whether a variable of that name is for pages.
pub(crate) fn is_public(name: &str) -> bool {
    PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}
