//! Changing code while it runs.

use plimsoll_model::RecipeKind;
use plimsoll_model::facts::NeedKind;

use super::guide::{Guide, fence};

pub(super) fn page(guide: &Guide<'_>) -> String {
    let dev = guide.command(&["dev"]);
    let mut page = format!(
        "# Local development\n\n{}\nChanged files are copied into the running containers; servers that can, load them at once, others start again. A change of what is installed builds the image again.\n\nThe same without Docker:\n\n{}",
        fence(&[format!("{dev} up --build --watch")]),
        fence(&[format!(
            "plimsoll -f {} -f compose.dev.yaml up --watch",
            guide.base
        )]),
    );
    let mut debuggers = String::new();
    for one in guide.built() {
        let client = match one.service.recipe.as_ref().map(|recipe| &recipe.kind) {
            Some(RecipeKind::Python(_)) => "debugpy",
            Some(RecipeKind::NodeServer(_)) => "the inspector of Node",
            _ => continue,
        };
        let Some(port) = port_of(guide, one.name()) else {
            continue;
        };
        debuggers.push_str(&format!(
            "- `{}`: {client} on 127.0.0.1:{port}\n",
            one.name()
        ));
    }
    if !debuggers.is_empty() {
        page.push_str(&format!("\n## Debuggers\n\n{debuggers}"));
    }
    page.push_str(&format!(
        "\n## Logs, shells\n\n{}",
        fence(&[
            format!("{dev} logs --follow {}", guide.example()),
            format!("{dev} exec {} sh", guide.example()),
        ])
    ));
    if guide.stores().next().is_some() {
        page.push_str("\n## Data\n\n");
        for store in guide.stores() {
            for listener in &store.listeners {
                page.push_str(&format!(
                    "- `{}` on 127.0.0.1:{}\n",
                    store.name(),
                    listener.published.first().unwrap_or(&listener.port)
                ));
            }
        }
        let postgres = guide
            .stores()
            .find(|one| one.store.and_then(|store| store.kind) == Some(NeedKind::Postgres));
        if let Some(store) = postgres {
            page.push_str(&format!(
                "\nSample data of the project's own, a file of SQL:\n\n{}",
                fence(&[format!(
                    "{dev} exec -T {} sh -c 'psql --username \"${{POSTGRES_USER:-postgres}}\" \"${{POSTGRES_DB:-postgres}}\"' < sample.sql",
                    store.name()
                )])
            ));
        }
        page.push_str(&format!(
            "\nPrograms to look into them with (`compose.dev.yaml` names their addresses):\n\n{}\nBegin with empty stores:\n\n{}",
            fence(&[format!("{dev} --profile tools up --detach")]),
            fence(&[format!("{dev} down --volumes")]),
        ));
    }
    if guide.compose.contains("compose.test.yaml") {
        page.push_str(&format!(
            "\n## Tests\n\nThe project's own tests, in its image, beside the running stack:\n\n{}",
            fence(&[format!(
                "{} up --build --abort-on-container-exit --exit-code-from test",
                guide.command(&["test"])
            )])
        ));
    }
    page
}

/// The debugger's port of a service, as the overlay publishes it.
fn port_of(guide: &Guide<'_>, name: &str) -> Option<u16> {
    let variable = format!(
        "{}_DEBUG_PORT:-",
        name.to_ascii_uppercase().replace(['-', '.'], "_")
    );
    let text = &guide.development;
    let rest = text.split_once(&format!("${{{variable}"))?.1;
    rest.split_once('}')?.0.parse().ok()
}
