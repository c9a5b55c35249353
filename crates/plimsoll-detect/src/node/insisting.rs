//! Variables that no file of the project reads, and that a library it uses does not work without.

use plimsoll_diag::Spanned;

use super::manifest::Package;
use crate::detection::VariableKind;
use crate::found::FoundVariable;

/// What a library insists on: its name, the major versions that do, the variables.
#[rustfmt::skip]
const INSISTING: &[(&str, &[&str], &[&str])] = &[
    ("next-auth", &["5"], &["AUTH_SECRET"]),
    ("next-auth", &["3", "4"], &["NEXTAUTH_SECRET"]),
    ("@auth/express", &[], &["AUTH_SECRET"]),
    ("@auth/sveltekit", &[], &["AUTH_SECRET"]),
    ("@clerk/nextjs", &[], &["CLERK_SECRET_KEY", "NEXT_PUBLIC_CLERK_PUBLISHABLE_KEY"]),
];

/// Adds them to what the files read. `imported` tells whether a file of the service imports a library.
pub(super) fn add(
    package: &Package,
    imported: &dyn Fn(&str) -> bool,
    variables: &mut Vec<FoundVariable>,
) {
    for (library, majors, names) in INSISTING {
        let Some((_, version, _)) = package
            .dependencies
            .iter()
            .find(|(name, _, runtime)| *runtime && name == library)
        else {
            continue;
        };
        let major = package.version_of(library).unwrap_or_default();
        let fits = majors.is_empty() || majors.contains(&major.as_str());
        if fits && imported(library) {
            for name in *names {
                insist(library, version, name, variables);
            }
        }
    }
}

fn insist(
    library: &str,
    version: &Spanned<String>,
    name: &str,
    variables: &mut Vec<FoundVariable>,
) {
    let Some(span) = version.span.clone() else {
        return;
    };
    let default = variables
        .iter()
        .filter(|known| known.name == name)
        .find_map(|known| known.default.clone());
    variables.push(FoundVariable {
        required: default.is_none(),
        kind: VariableKind::Text,
        why: format!("`{library}` does not work without `{name}`"),
        ..FoundVariable::read(name, default, span)
    });
}
